package io.stillhouse.jobs.cache;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.loss.MlmEncoder;
import io.stillhouse.loss.TargetCells;
import io.stillhouse.model.Autograd;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Encoder;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/** Holds a seeded sample of stored targets against those of the live teacher, in float32. */
public final class Fidelity {
  private static final int ROWS_OF_A_UNIT = 8;

  private final Storage storage;
  private final Path cache;
  private final Settings settings;

  /**
   * How far a column's stored numbers are from the teacher's: roots of mean squares, over that of
   * the teacher's numbers. Of ids and counts, the share that differ.
   *
   * @param error stored against live
   * @param noise live in one batch against live row by row: what no cache can be under
   * @param limit what its dtype allows
   */
  public record ColumnError(double error, double noise, double limit) {
    public boolean faithful() {
      return error <= limit;
    }
  }

  Fidelity(Storage storage, Path cache, Settings settings) {
    this.storage = storage;
    this.cache = cache;
    this.settings = settings;
  }

  /** Recomputes rows of a few units with one of the cache's teachers. */
  Map<String, ColumnError> sample(Plan plan, Manifest manifest, String name) throws IOException {
    List<Column> columns =
        manifest.columns(name).stream()
            .map(Targets::named)
            .filter(column -> column.type() != Column.Type.UINT8)
            .toList();
    CacheReader reader = CacheReader.open(storage, cache, name, columns);
    Random random = new Random(settings.get(Options.SEED));
    List<Plan.Unit> units = new ArrayList<>(plan.units());
    Collections.shuffle(units, random);
    List<Example> rows = new ArrayList<>();
    for (Plan.Unit unit : units) {
      if (rows.size() >= settings.get(Options.VERIFY_ROWS)) {
        break;
      }
      List<Example> all = new ArrayList<>(reader.read(unit.unit()));
      Collections.shuffle(all, random);
      int wanted = Math.min(ROWS_OF_A_UNIT, settings.get(Options.VERIFY_ROWS) - rows.size());
      rows.addAll(all.subList(0, Math.min(wanted, all.size())));
    }
    Map<String, double[]> sums = new TreeMap<>();
    columns.forEach(column -> sums.put(column.name(), new double[3]));
    try (NDManager manager = NDManager.newBaseManager()) {
      Autograd.record(Autograd.Mode.OFF);
      var directory = CacheReader.teacher(storage, cache, name);
      Encoder teacher = new Encoder(directory.spec(), directory.weights(manager));
      for (int from = 0; from < rows.size(); from += ROWS_OF_A_UNIT) {
        List<Example> some = rows.subList(from, Math.min(rows.size(), from + ROWS_OF_A_UNIT));
        List<Example> together = live(teacher, some, columns);
        for (int i = 0; i < some.size(); i++) {
          Example alone = live(teacher, some.subList(i, i + 1), columns).get(0);
          for (Column column : columns) {
            add(sums.get(column.name()), column, some.get(i), together.get(i), alone);
          }
        }
      }
    }
    Map<String, ColumnError> result = new TreeMap<>();
    for (Column column : columns) {
      double[] sum = sums.get(column.name());
      double scale = Math.max(sum[2], 1e-30);
      double noise = Math.sqrt(sum[1] / scale);
      result.put(
          column.name(),
          new ColumnError(Math.sqrt(sum[0] / scale), noise, limit(column, plan, noise)));
    }
    return result;
  }

  /** A few roundings of the dtype, and what batches of another shape differ by anyway. */
  private static double limit(Column column, Plan plan, double noise) {
    return switch (column.type()) {
      // Of two almost equal logits either may come first, and a draw lies at the edge of a class.
      case TOKEN_IDS -> 0.05;
      case CELL, UNSCALED, FLOAT32 ->
          10 * noise
              + switch (column.dtype(Dtype.of(plan.fingerprints().get("targets.dtype")))) {
                case FLOAT32 -> 1e-5;
                case FLOAT16 -> 1e-3;
                case INT8 -> 2e-2;
              };
      case STRING, INT, DOUBLE, IDS, UINT8 -> throw new IllegalStateException(column.name());
    };
  }

  private static void add(
      double[] sums, Column column, Example stored, Example together, Example alone) {
    double[] kept = TargetCells.numbers(stored, column);
    double[] one = TargetCells.numbers(alone, column);
    double[] other = TargetCells.numbers(together, column);
    boolean ids = column.type() == Column.Type.TOKEN_IDS;
    int n = Math.min(kept.length, Math.min(one.length, other.length));
    int most = Math.max(kept.length, Math.max(one.length, other.length));
    if (n != most && !ids) {
      sums[0] = Double.POSITIVE_INFINITY;
    }
    for (int i = 0; i < n; i++) {
      double error = kept[i] - one[i];
      double noise = other[i] - one[i];
      sums[0] += ids ? Math.signum(Math.abs(error)) : error * error;
      sums[1] += ids ? Math.signum(Math.abs(noise)) : noise * noise;
      sums[2] += ids ? 1 : one[i] * one[i];
    }
  }

  /** Returns rows with what the teacher gives for them now, in float32. */
  private List<Example> live(Encoder teacher, List<Example> rows, List<Column> columns) {
    List<Map<String, byte[]>> cells = new ArrayList<>();
    rows.forEach(row -> cells.add(new HashMap<>()));
    try (NDManager manager = NDManager.newBaseManager()) {
      Batch batch =
          Batch.of(
              manager,
              rows.stream().map(row -> row.inputs().inputIds()).toList(),
              rows.stream().map(row -> row.inputs().typeIds()).toList());
      Capture capture = Capture.everything(teacher.spec().layers());
      EncoderOutput output = teacher.forward(batch, capture, Encoder.Phase.INFERENCE);
      for (Column column : columns) {
        List<byte[]> own = cells(teacher, output, batch, rows, column);
        for (int row = 0; row < rows.size(); row++) {
          cells.get(row).put(column.name(), own.get(row));
        }
      }
    }
    List<Example> result = new ArrayList<>();
    for (int row = 0; row < rows.size(); row++) {
      Example old = rows.get(row);
      result.add(new Example(old.id(), old.inputs(), Dtype.FLOAT32, cells.get(row)));
    }
    return result;
  }

  private List<byte[]> cells(
      Encoder teacher, EncoderOutput output, Batch batch, List<Example> rows, Column column) {
    String name = column.name();
    for (int layer = 0; layer <= teacher.spec().layers(); layer++) {
      if (column.equals(Targets.hidden(layer))) {
        return TargetCells.tokens(output.hidden(layer), batch, Dtype.FLOAT32);
      }
      if (layer > 0 && column.equals(Targets.attention(layer))) {
        return TargetCells.pairs(output.scores(layer), batch, Dtype.FLOAT32);
      }
      if (layer > 0 && column.equals(Targets.valueRelations(layer))) {
        return TargetCells.pairs(output.valueRelations(layer), batch, Dtype.FLOAT32);
      }
    }
    if (column.equals(Targets.LOGITS)) {
      NDArray logits = java.util.Objects.requireNonNull(output.logits());
      return TargetCells.vectors(logits, Dtype.FLOAT32);
    }
    List<MlmEncoder.Row> keys =
        rows.stream().map(row -> new MlmEncoder.Row(row.id(), row.inputs().mlmLabels())).toList();
    return new MlmEncoder(teacher, MlmTargets.of(name), Dtype.FLOAT32, settings.get(Options.SEED))
        .cells(output.last(), batch, keys).entrySet().stream()
            .filter(entry -> entry.getKey().name().equals(name))
            .findFirst()
            .orElseThrow()
            .getValue();
  }
}

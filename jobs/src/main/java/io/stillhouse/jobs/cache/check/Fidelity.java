package io.stillhouse.jobs.cache.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.codec.MlmEncoder;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TargetCells;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.cache.layout.Manifest;
import io.stillhouse.jobs.cache.layout.Plan;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.model.encoder.InferenceEncoder;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/**
 * Holds a seeded sample of stored targets, and of those that training derives from them, against
 * the live teacher's in the precision that the cache was computed in, and against the encoder's
 * plain pass in float32.
 */
public final class Fidelity {
  private static final int ROWS_OF_A_SHARD = 8;

  /** A shard in the last of bfloat16's 8 bits: the roundings of a product's factors and result. */
  private static final double BFLOAT16_ROUNDING = 1.0 / 128;

  /** After the name of a column that is not stored. */
  private static final String DERIVED = " (derived)";

  private static final MlmTargets MLM_LOGITS =
      new MlmTargets(MlmTargets.Kind.DENSE, 0, List.of(), Positions.ALL);

  private final Storage storage;
  private final Path cache;
  private final Settings settings;

  /** Of the draws that the cache was computed with. */
  private long seed;

  /**
   * How far a column's stored numbers, or those that training derives from stored ones, are from
   * the teacher's: roots of mean squares, over that of the teacher's numbers. Of ids, the share
   * that differ.
   *
   * @param error stored or derived against live
   * @param noise live in one batch against live row by row: what no cache can be under
   * @param limit what its dtype allows
   * @param fromFloat32 stored against the plain pass in float32: the price of dtype and precision
   */
  public record ColumnError(double error, double noise, double limit, double fromFloat32) {
    public boolean faithful() {
      return error <= limit;
    }
  }

  Fidelity(Storage storage, Path cache, Settings settings) {
    this.storage = storage;
    this.cache = cache;
    this.settings = settings;
  }

  /** Recomputes rows of a few shards with one of the cache's teachers. */
  Map<String, ColumnError> sample(Plan plan, Manifest manifest, String teacherName)
      throws IOException {
    List<Column> columns =
        manifest.columns(teacherName).stream()
            .map(Targets::named)
            .filter(column -> column.type() != Column.Type.UINT8)
            .toList();
    CacheReader reader = CacheReader.open(storage, cache, teacherName, columns);
    Random random = new Random(settings.get(Options.CACHE_SEED));
    List<Plan.Shard> shards = new ArrayList<>(plan.shards());
    shards.removeIf(shard -> manifest.isDropped(shard.shard()));
    if (shards.isEmpty()) {
      return Map.of();
    }
    Collections.shuffle(shards, random);
    List<Example> rows = new ArrayList<>();
    for (Plan.Shard shard : shards) {
      if (rows.size() >= settings.get(Options.VERIFY_ROWS)) {
        break;
      }
      List<Example> all = new ArrayList<>(reader.read(shard.shard()));
      Collections.shuffle(all, random);
      int wanted = Math.min(ROWS_OF_A_SHARD, settings.get(Options.VERIFY_ROWS) - rows.size());
      rows.addAll(all.subList(0, Math.min(wanted, all.size())));
    }
    Map<String, double[]> sums = new TreeMap<>();
    Map<String, Column> named = new TreeMap<>();
    try (NDManager manager = Devices.manager()) {
      Autograd.record(Autograd.Mode.OFF);
      var directory = CacheReader.teacher(storage, cache, teacherName);
      Encoder teacher = new Encoder(directory.spec(), directory.weights(manager));
      seed = Long.parseLong(plan.fingerprints().get(Options.CACHE_SEED.key()));
      List<Column> derived = derived(teacher, columns);
      List<Column> all = new ArrayList<>(columns);
      all.addAll(derived);
      columns.forEach(column -> named.put(column.name(), column));
      derived.forEach(column -> named.put(column.name() + DERIVED, column));
      named.keySet().forEach(name -> sums.put(name, new double[4]));
      Precision precision = Precision.of(plan.fingerprints().get(Options.CACHE_PRECISION.key()));
      Devices.requireCachePrecision(precision, manager);
      InferenceEncoder packed = new InferenceEncoder(teacher, manager, precision);
      Pass live = packed::forward;
      Pass plain = (batch, capture) -> teacher.forward(batch, capture, Dropout.NONE);
      for (int from = 0; from < rows.size(); from += ROWS_OF_A_SHARD) {
        List<Example> some = rows.subList(from, Math.min(rows.size(), from + ROWS_OF_A_SHARD));
        List<Example> rebuilt = rebuilt(teacher, some, derived);
        List<Example> together = targets(teacher, live, some, all);
        List<Example> exact = targets(teacher, plain, some, all);
        for (int i = 0; i < some.size(); i++) {
          Example alone = targets(teacher, live, some.subList(i, i + 1), all).get(0);
          for (Column column : columns) {
            add(sums.get(column.name()), column, some.get(i), together.get(i), alone, exact.get(i));
          }
          for (Column column : derived) {
            add(
                sums.get(column.name() + DERIVED),
                column,
                rebuilt.get(i),
                together.get(i),
                alone,
                exact.get(i));
          }
        }
      }
      packed.close();
    }
    // Training derives in float32 what the live teacher has rounded.
    double rounding =
        Precision.of(plan.fingerprints().get(Options.CACHE_PRECISION.key())) == Precision.BFLOAT16
            ? BFLOAT16_ROUNDING
            : 0;
    Map<String, ColumnError> result = new TreeMap<>();
    named.forEach(
        (name, column) -> {
          double[] sum = sums.get(name);
          double scale = Math.max(sum[2], 1e-30);
          double noise = relative(column, sum[1], scale);
          result.put(
              name,
              new ColumnError(
                  relative(column, sum[0], scale),
                  noise,
                  limit(column, plan, noise) + (name.endsWith(DERIVED) ? rounding : 0),
                  relative(column, sum[3], scale)));
        });
    return result;
  }

  /** Returns what training can derive from the hidden states that are stored. */
  private static List<Column> derived(Encoder teacher, List<Column> stored) {
    List<Column> derived = new ArrayList<>();
    int layers = teacher.spec().layers();
    for (int layer = 0; layer < layers; layer++) {
      if (stored.contains(Targets.hidden(layer))) {
        derived.add(Targets.attention(layer + 1));
        derived.add(Targets.valueRelations(layer + 1));
      }
    }
    if (teacher.spec().head().task() == Task.MASKED_LM && stored.contains(Targets.hidden(layers))) {
      derived.addAll(MLM_LOGITS.columns());
    }
    derived.removeAll(stored);
    return derived;
  }

  /** A few roundings of the dtype, and what batches of another shape differ by anyway. */
  private static double limit(Column column, Plan plan, double noise) {
    return switch (column.type()) {
      // Of two almost equal logits either may come first, and a draw lies at the edge of a class.
      case TOKEN_IDS -> 0.0025;
      case CELL, UNSCALED, FLOAT32 ->
          10 * noise
              + switch (column.dtype(Dtype.of(plan.fingerprints().get("targets.dtype")))) {
                case FLOAT32 -> 1e-5;
                case FLOAT16 -> 5e-4;
                case INT8 -> 1e-2;
              };
      case STRING, INT, DOUBLE, IDS, UINT8 -> throw new IllegalStateException(column.name());
    };
  }

  private static void add(
      double[] sums, Column column, Example kept, Example together, Example alone, Example exact) {
    double[] numbers = TargetCells.numbers(kept, column);
    double[] one = TargetCells.numbers(alone, column);
    sums[0] += distance(column, numbers, one);
    sums[1] += distance(column, TargetCells.numbers(together, column), one);
    sums[2] += scale(column, one);
    sums[3] += distance(column, numbers, TargetCells.numbers(exact, column));
  }

  private static double relative(Column column, double distance, double scale) {
    double share = distance / scale;
    return column.type() == Column.Type.TOKEN_IDS ? share : Math.sqrt(share);
  }

  /** Returns the summed squares of differences; of ids, how many differ. */
  private static double distance(Column column, double[] some, double[] others) {
    boolean ids = column.type() == Column.Type.TOKEN_IDS;
    if (some.length != others.length && !ids) {
      return Double.POSITIVE_INFINITY;
    }
    double sum = 0;
    for (int i = 0; i < Math.min(some.length, others.length); i++) {
      double difference = some[i] - others[i];
      sum += ids ? Math.signum(Math.abs(difference)) : difference * difference;
    }
    return sum;
  }

  /** Returns the summed squares; of ids, how many there are. */
  private static double scale(Column column, double[] numbers) {
    return column.type() == Column.Type.TOKEN_IDS
        ? numbers.length
        : Arrays.stream(numbers).map(number -> number * number).sum();
  }

  /** A forward pass without gradients. */
  private interface Pass {
    EncoderOutput of(Batch batch, Capture capture);
  }

  /** Returns rows with what a pass of the teacher gives for them now, in float32. */
  private List<Example> targets(
      Encoder teacher, Pass pass, List<Example> rows, List<Column> columns) {
    try (NDManager manager = Devices.manager()) {
      Batch batch = new TargetBatch(manager, rows, TeacherParts.NONE).batch();
      Capture capture = Capture.everything(teacher.spec().layers());
      return examples(teacher, pass.of(batch, capture), batch, rows, columns);
    }
  }

  /** Returns rows with what training derives from their stored cells. */
  private List<Example> rebuilt(Encoder teacher, List<Example> rows, List<Column> columns) {
    try (NDManager manager = Devices.manager()) {
      TargetBatch stored = new TargetBatch(manager, rows, new TeacherParts(teacher, MLM_LOGITS));
      Map<Integer, NDArray> scores = new HashMap<>();
      Map<Integer, NDArray> valueRelations = new HashMap<>();
      int layers = teacher.spec().layers();
      for (int block = 1; block <= layers; block++) {
        if (columns.contains(Targets.attention(block))) {
          scores.put(block, teacher.scores(block, stored.hiddenBLD(block - 1)));
        }
        if (columns.contains(Targets.valueRelations(block))) {
          valueRelations.put(block, teacher.valueRelations(block, stored.hiddenBLD(block - 1)));
        }
      }
      // Without masked-LM logits to derive, nobody reads the last state.
      boolean last = rows.get(0).has(Targets.hidden(layers));
      NDArray lastBLD = stored.hiddenBLD(last ? layers : 0);
      EncoderOutput output =
          new EncoderOutput(lastBLD, Map.of(), scores, valueRelations, Map.of(), null);
      return examples(teacher, output, stored.batch(), rows, columns);
    }
  }

  /** Returns rows with an output's numbers, in float32. */
  private List<Example> examples(
      Encoder teacher,
      EncoderOutput output,
      Batch batch,
      List<Example> rows,
      List<Column> columns) {
    List<Map<String, byte[]>> cells = new ArrayList<>();
    rows.forEach(row -> cells.add(new HashMap<>()));
    for (Column column : columns) {
      List<byte[]> own = cells(teacher, output, batch, rows, column);
      for (int row = 0; row < rows.size(); row++) {
        cells.get(row).put(column.name(), own.get(row));
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
    return new MlmEncoder(teacher, MlmTargets.of(name), Dtype.FLOAT32, seed)
        .cells(output.last(), batch, keys).entrySet().stream()
            .filter(entry -> entry.getKey().name().equals(name))
            .findFirst()
            .orElseThrow()
            .getValue();
  }
}

package io.stillhouse.jobs.cache.check;

import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.model.encoder.InferenceEncoder;
import io.stillhouse.spec.Precision;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/**
 * Compares a seeded sample of stored targets, and of targets that training derives from them, with
 * those of the live teacher: in the precision that the cache was computed in, and in the encoder's
 * plain pass in float32.
 */
public final class Fidelity {
  private static final int ROWS_OF_A_SHARD = 8;

  private final Storage storage;
  private final Path cache;
  private final Settings settings;

  /**
   * How far the numbers of a column, stored or derived from stored ones, are from the teacher's:
   * root mean square errors relative to the teacher's numbers. For token ids, the share that
   * differs.
   *
   * @param error stored or derived against live
   * @param noise live in one batch against live row by row; no cache can do better
   * @param limit the largest error that the dtype allows
   * @param fromFloat32 stored against the plain pass in float32: the cost of dtype and precision
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

  /**
   * Recomputes rows of a few shards with one of the cache's teachers.
   *
   * @return errors by column; empty if every shard is dropped
   */
  Map<String, ColumnError> sample(CachePlan plan, ManifestLog manifest, String teacherName)
      throws IOException {
    List<Column> stored =
        manifest.state().columns(teacherName).stream().map(Targets::named).toList();
    List<Integer> shards =
        plan.shards().stream()
            .map(PlanPart.Shard::shard)
            .filter(shard -> !manifest.state().isDropped(shard))
            .toList();
    if (shards.isEmpty()) {
      return Map.of();
    }
    List<Example> rows = draw(shards, CacheReader.open(storage, cache, teacherName, stored));
    Precision precision = Precision.of(fingerprint(plan, Options.CACHE_PRECISION.key()));
    Dtype dtype = Dtype.of(fingerprint(plan, Options.TARGETS_DTYPE.key()));
    long seed = Long.parseLong(fingerprint(plan, Options.CACHE_SEED.key()));
    try (NDManager manager = Devices.manager()) {
      Autograd.record(Autograd.Mode.OFF);
      HuggingFaceDirectory directory = CacheReader.teacher(storage, cache, teacherName);
      Encoder teacher = new Encoder(directory.spec(), directory.weights(manager));
      Devices.requireCachePrecision(precision, manager);
      try (InferenceEncoder packed = new InferenceEncoder(teacher, manager, precision)) {
        Map<String, ColumnError> errors = new TreeMap<>();
        for (ColumnSums sums : compare(new LiveTargets(teacher, seed), packed, rows, stored)) {
          errors.put(sums.name(), sums.error(dtype, precision));
        }
        return errors;
      }
    }
  }

  private static String fingerprint(CachePlan plan, String name) {
    return Objects.requireNonNull(plan.fingerprints().get(name), name);
  }

  /** Draws a few rows from each of a few shards. */
  private List<Example> draw(List<Integer> shards, CacheReader reader) throws IOException {
    int wanted = settings.get(Options.VERIFY_ROWS);
    Random random = new Random(settings.get(Options.CACHE_SEED));
    List<Integer> shuffled = new ArrayList<>(shards);
    Collections.shuffle(shuffled, random);
    List<Example> drawn = new ArrayList<>();
    for (int shard : shuffled) {
      if (drawn.size() >= wanted) {
        break;
      }
      List<Example> rows = new ArrayList<>(reader.read(shard));
      Collections.shuffle(rows, random);
      int count = Math.min(ROWS_OF_A_SHARD, wanted - drawn.size());
      drawn.addAll(rows.subList(0, Math.min(count, rows.size())));
    }
    return drawn;
  }

  private static List<ColumnSums> compare(
      LiveTargets live, InferenceEncoder packed, List<Example> rows, List<Column> stored) {
    List<Column> derived = live.derivable(stored);
    List<Column> all = new ArrayList<>(stored);
    all.addAll(derived);
    // Counts of draws have no error of their own, but the ids are decoded with them.
    List<ColumnSums> ofStored =
        stored.stream()
            .filter(column -> column.type() != Column.Type.UINT8)
            .map(column -> new ColumnSums(column, ColumnSums.Source.STORED))
            .toList();
    List<ColumnSums> ofDerived =
        derived.stream().map(c -> new ColumnSums(c, ColumnSums.Source.DERIVED)).toList();
    LiveTargets.Pass pass = packed::forward;
    LiveTargets.Pass plain =
        (batch, capture) -> live.teacher().forward(batch, capture, Dropout.NONE);
    for (int from = 0; from < rows.size(); from += ROWS_OF_A_SHARD) {
      List<Example> some = rows.subList(from, Math.min(rows.size(), from + ROWS_OF_A_SHARD));
      List<Example> rederived = live.derived(some, derived);
      List<Example> batched = live.computed(pass, some, all);
      List<Example> float32 = live.computed(plain, some, all);
      for (int i = 0; i < some.size(); i++) {
        Example alone = live.computed(pass, some.subList(i, i + 1), all).get(0);
        ColumnSums.RowTargets kept =
            new ColumnSums.RowTargets(some.get(i), batched.get(i), alone, float32.get(i));
        ofStored.forEach(sums -> sums.add(kept));
        ColumnSums.RowTargets rebuilt =
            new ColumnSums.RowTargets(rederived.get(i), batched.get(i), alone, float32.get(i));
        ofDerived.forEach(sums -> sums.add(rebuilt));
      }
    }
    List<ColumnSums> sums = new ArrayList<>(ofStored);
    sums.addAll(ofDerived);
    return sums;
  }
}

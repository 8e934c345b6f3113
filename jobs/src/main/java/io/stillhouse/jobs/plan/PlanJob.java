package io.stillhouse.jobs.plan;

import io.stillhouse.config.Options;
import io.stillhouse.config.Recipe;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.CacheJob;
import io.stillhouse.jobs.cache.CacheReader;
import io.stillhouse.jobs.cache.InputRow;
import io.stillhouse.jobs.cache.Storage;
import io.stillhouse.jobs.cache.TargetRecipe;
import io.stillhouse.jobs.text.Corpus;
import io.stillhouse.jobs.text.SourceRow;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.target.Column;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.ToLongFunction;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;

/** Foretells what a recipe costs, from a probe; leaves nothing but {@code CACHE-plan.json}. */
public final class PlanJob {
  private static final int SAMPLED_ROWS = 40_000;
  private static final double ROOM = 1.2;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final ToLongFunction<Path> free;

  /** Checks the recipe's paths; the probe checks the rest by running it. */
  public PlanJob(SparkSession spark, Settings settings) {
    this(spark, settings, null);
  }

  PlanJob(SparkSession spark, Settings settings, ToLongFunction<Path> free) {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.cache = storage.requireExclusive(Options.CACHE.key(), settings.get(Options.CACHE));
    this.free = free == null ? this::freeBytes : free;
  }

  /** Measures, computes, writes the result, and refuses where the disk has not the room. */
  public PlanResult run() throws IOException {
    Path home = new Path(cache + "-probe-" + UUID.randomUUID().toString().substring(0, 8));
    try {
      PlanResult result = measure(home);
      storage.writeJson(
          new Path(cache + "-plan.json"), Map.of("result", result, "recipe", settings.inForce()));
      long room = free.applyAsLong(cache);
      if (room < ROOM * result.diskBytes()) {
        throw Errors.invalid(
            "the cache takes %,d bytes, and '%s' has %,d free: less than 1.2 times as many"
                .formatted(result.diskBytes(), cache, room),
            "free some, choose another cache.path, or store less, such as targets.dtype=int8");
      }
      return result;
    } finally {
      storage.fileSystem(home).delete(home, true);
    }
  }

  private PlanResult measure(Path home) throws IOException {
    CacheJob job = new CacheJob(spark, settings);
    CorpusSpec spec = Recipe.corpus(settings);
    Corpus corpus = Corpus.read(spark, spec);
    double share = Math.min(1, (double) SAMPLED_ROWS / Math.max(1, corpus.rowCount()));
    JavaRDD<SourceRow> some =
        share < 1 ? corpus.rows().sample(false, share, settings.get(Options.SEED)) : corpus.rows();
    List<Integer> lengths =
        some.mapPartitions(job.tokenising(spec)::of).map(InputRow::length).collect();
    double rows = lengths.size() / share;
    double tokens = lengths.stream().mapToLong(Integer::longValue).sum() / share;
    if (tokens == 0) {
      throw Errors.invalid(
          "no row of the corpus %s holds a token".formatted(spec.paths()),
          "check corpus.path and corpus.text");
    }
    int cores = spark.sparkContext().defaultParallelism();
    long small = (long) Math.min(tokens / 4, 512.0 * cores);
    Probe probe = new Probe(spark, settings, storage, home);
    double tokensPerRow = tokens / corpus.rowCount();
    List<SourceRow> sample =
        new ArrayList<>(some.takeSample(false, SAMPLED_ROWS, settings.get(Options.SEED)));
    Probe.Cached cold = cached(probe, "cold", sample, small, tokensPerRow);
    Probe.Cached warm = cached(probe, "warm-up", sample, small, tokensPerRow);
    double budget = settings.get(Options.PLAN_SECONDS) / 4.0;
    long most =
        (long) Math.min(tokens, Math.max(4.0 * small, budget * warm.tokens() / warm.seconds()));
    Probe.Cached big = cached(probe, "probe", sample, most, tokensPerRow);
    double teacher =
        big.seconds() > warm.seconds() && big.tokens() > warm.tokens()
            ? (big.tokens() - warm.tokens()) / (big.seconds() - warm.seconds())
            : big.tokens() / big.seconds();
    double start = Math.max(0, cold.seconds() - cold.tokens() / teacher);
    Probe.Trained trained = probe.train(big.path());
    List<Column> columns =
        TargetRecipe.choice(settings, CacheReader.teacher(storage, big.path()).spec()).all();
    double read = probe.read(big, columns);
    return PlanResult.of(
        settings,
        new PlanResult.Measured(rows, tokens, share, teacher, start, trained, read),
        warm,
        big);
  }

  private static Probe.Cached cached(
      Probe probe, String name, List<SourceRow> sample, long tokens, double tokensPerRow)
      throws IOException {
    int rows = (int) Math.max(1, Math.min(sample.size(), Math.ceil(tokens / tokensPerRow)));
    return probe.cache(name, sample.subList(0, rows), tokens);
  }

  private long freeBytes(Path path) {
    try {
      Path there = path;
      while (!storage.exists(there) && there.getParent() != null) {
        there = there.getParent();
      }
      return storage.fileSystem(there).getStatus(there).getRemaining();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}

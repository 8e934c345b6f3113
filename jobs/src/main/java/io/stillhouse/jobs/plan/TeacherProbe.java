package io.stillhouse.jobs.plan;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * Runs the cache job on a few rows, cold, and then on as many as time allows. The second cache
 * replaces the first at the same path, so that there is one copy of the teacher on disk and in
 * memory.
 */
final class TeacherProbe {
  private static final int COLD_SHARD_TOKENS = 256;

  /** Share of the probe's time that the warm run may take. */
  private static final double TIME_SHARE = 0.2;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Scratch scratch;
  private final int slots;

  /**
   * The measurements of the warm run.
   *
   * @param startSeconds seconds of a cache job outside the teacher's tasks, from the cold run
   */
  record Teacher(ProbeCache cache, Speed speed, double startSeconds) {}

  /**
   * The cache that the warm run has built.
   *
   * @param lengths sums over its rows
   */
  record ProbeCache(Path path, Lengths lengths, int shards, StoredBytes bytes) {}

  /**
   * How fast the teacher runs.
   *
   * @param slotRate tokens per second of one task while the others run, too
   * @param slots tasks that the session can run at a time
   */
  record Speed(double slotRate, int slots) {
    /** Returns the tokens per second of all slots together. */
    double rate() {
      return slotRate * slots;
    }

    /** Returns the seconds of a pass whose tasks, one for each shard, run in waves. */
    double passSeconds(double tokens, double shardTokens) {
      long fullShards = (long) (tokens / shardTokens);
      double rest = tokens - fullShards * shardTokens;
      double last = fullShards % slots > 0 ? shardTokens : rest;
      return (fullShards / slots * shardTokens + last) / slotRate;
    }
  }

  private record Run(CacheRecord result, double wall, double taskSeconds) {
    /** Returns the tokens per second of one task. */
    double slotRate() {
      return result.tokens() / taskSeconds;
    }
  }

  TeacherProbe(SparkSession spark, Settings settings, Storage storage, Scratch scratch) {
    this.spark = spark;
    this.settings = settings;
    this.storage = storage;
    this.scratch = scratch;
    int cpus = spark.sparkContext().conf().getInt("spark.task.cpus", 1);
    this.slots = Math.max(1, spark.sparkContext().defaultParallelism() / cpus);
  }

  /**
   * Runs the cache job twice.
   *
   * @param sampleTokens tokens of the sample
   * @param corpusTokens tokens of the whole corpus
   */
  Teacher run(CorpusSample sample, double sampleTokens, double corpusTokens, Deadline deadline)
      throws IOException {
    double shardTokens = settings.get(Options.SHARD_TOKENS);
    int shards = (int) Math.min(Math.ceil(corpusTokens / shardTokens), 2.0 * slots);
    int busy = Math.min(shards, slots);
    double perRow = Math.max(1, sampleTokens / sample.pieceRows());
    int coldRows = rows(sample, 2.0 * busy * COLD_SHARD_TOKENS, perRow);
    Run cold =
        deadline.run("the teacher ran cold", () -> cache(sample, coldRows, COLD_SHARD_TOKENS));
    perRow = (double) cold.result().tokens() / coldRows;
    double guess = cold.slotRate(); // low, and so safe, since the tasks also loaded the teacher
    double maxTokens =
        guess * busy * Math.min(TIME_SHARE * deadline.seconds(), deadline.left() / 3);
    double tokens = Math.min(corpusTokens, Math.max(shards * COLD_SHARD_TOKENS, maxTokens));
    double ofShard = Math.min(shardTokens, Math.max(COLD_SHARD_TOKENS, 1.1 * tokens / shards));
    int rows = rows(sample, Math.min(tokens, ofShard * shards), perRow);
    Run warm = deadline.run("the teacher ran warm", () -> cache(sample, rows, (int) ofShard));
    double slotRate = warm.slotRate();
    double start = cold.wall() - cold.result().tokens() / slotRate / busy;
    return new Teacher(
        new ProbeCache(
            cachePath(),
            Lengths.of(spark, cachePath()),
            warm.result().shards(),
            StoredBytes.of(storage, cachePath())),
        new Speed(slotRate, slots),
        Math.max(0, start));
  }

  /**
   * Requires that the cache command would not stop because of the teacher's outputs. Rows that are
   * invalid before the teacher reads them were counted in the larger sample.
   */
  private void requireFewNotFinite(CacheRecord result) {
    Lengths lengths = Lengths.of(spark, cachePath());
    long notFinite = result.invalidRows() - Math.round(lengths.rows() - lengths.sound());
    if (!InvalidRowPolicy.of(settings).allows(notFinite, result.rows())) {
      throw Errors.invalid(
          format(
              "for %,d of %,d rows of the probe, %s, which are more than corpus.invalid-rows and"
                  + " corpus.max-invalid allow: the cache command would stop",
              notFinite, result.rows(), InvalidRows.NOT_FINITE),
          "correct the teacher or these rows, or raise corpus.max-invalid");
    }
  }

  private static int rows(CorpusSample sample, double tokens, double perRow) {
    return (int) Math.min(sample.pieceRows(), Math.max(1, Math.ceil(tokens / perRow)));
  }

  private Path cachePath() {
    return scratch.path("cache");
  }

  private Run cache(CorpusSample sample, int rows, int shardTokens) throws IOException {
    Map<String, String> values = new TreeMap<>();
    values.put(Options.CACHE.key(), cachePath().toString());
    values.put(Options.CORPUS_LIMIT.key(), Integer.toString(rows));
    values.put(Options.INVALID_ROWS.key(), "skip");
    values.put(Options.MAX_INVALID.key(), "1");
    values.put(Options.SHARD_TOKENS.key(), Integer.toString(shardTokens));
    Settings recipe = CorpusSample.recipe(settings, sample.pieces()).with(values);
    scratch.delete(cachePath());
    try (TaskTimes times = new TaskTimes(spark)) {
      long start = System.nanoTime();
      CacheRecord result = new CacheJob(spark, recipe).run();
      double wall = (System.nanoTime() - start) / 1e9;
      requireFewNotFinite(result);
      return new Run(result, wall, times.seconds());
    }
  }
}

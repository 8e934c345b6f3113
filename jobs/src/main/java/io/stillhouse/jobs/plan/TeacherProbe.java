package io.stillhouse.jobs.plan;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * Runs the cache job on a few rows, cold, and on as many as there is time for. Both caches lie in
 * one place after each other, so that there is one copy of the teacher on disk and in memory.
 */
final class TeacherProbe {
  private static final int COLD_SHARD = 256;

  /** Share of the probe's time that the warm run may take. */
  private static final double SHARE = 0.2;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Scratch scratch;
  private final int slots;

  /**
   * What the warm run left.
   *
   * @param shards of its cache
   * @param slotRate tokens a second of one task, while {@code busy} of them run
   * @param slots tasks that the session can run at a time
   * @param startSeconds of a cache job's work that is not the teacher's, as the cold run had it
   */
  record Teacher(
      Path cache,
      Lengths lengths,
      int shards,
      StoredBytes bytes,
      double slotRate,
      int busy,
      int slots,
      double startSeconds) {

    /** Returns the tokens a second of all slots together. */
    double rate() {
      return slotRate * slots;
    }

    /** Returns the seconds of a pass over shards that run in waves, a task for each. */
    double passSeconds(double tokens, double shardTokens) {
      long whole = (long) (tokens / shardTokens);
      double rest = tokens - whole * shardTokens;
      double last = whole % slots > 0 ? shardTokens : rest;
      return (whole / slots * shardTokens + last) / slotRate;
    }
  }

  private record Run(CacheRecord result, double wall, double taskSeconds) {
    /** Returns tokens a second of a task. */
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
   * Runs both.
   *
   * @param inSample tokens of the sample, and {@code corpus} of all the corpus
   */
  Teacher run(CorpusSample sample, double inSample, double corpus, Deadline deadline)
      throws IOException {
    double shardTokens = settings.get(Options.SHARD_TOKENS);
    int shards = (int) Math.min(Math.ceil(corpus / shardTokens), 2.0 * slots);
    int busy = Math.min(shards, slots);
    double perPiece = Math.max(1, inSample / sample.pieceRows());
    int coldRows = rows(sample, 2.0 * busy * COLD_SHARD, perPiece);
    Run cold = deadline.run("the teacher ran cold", () -> cache(sample, coldRows, COLD_SHARD));
    perPiece = (double) cold.result().tokens() / coldRows;
    double guess = cold.slotRate(); // too low, since tasks loaded the teacher: a safe size
    double most = guess * busy * Math.min(SHARE * deadline.seconds(), deadline.left() / 3);
    double tokens = Math.min(corpus, Math.max(shards * COLD_SHARD, most));
    double ofShard = Math.min(shardTokens, Math.max(COLD_SHARD, 1.1 * tokens / shards));
    int rows = rows(sample, Math.min(tokens, ofShard * shards), perPiece);
    Run warm = deadline.run("the teacher ran warm", () -> cache(sample, rows, (int) ofShard));
    double slotRate = warm.slotRate();
    double start = cold.wall() - cold.result().tokens() / slotRate / busy;
    return new Teacher(
        cachePath(),
        Lengths.of(spark, cachePath()),
        warm.result().shards(),
        StoredBytes.of(storage, cachePath()),
        slotRate,
        busy,
        slots,
        Math.max(0, start));
  }

  private static int rows(CorpusSample sample, double tokens, double perPiece) {
    return (int) Math.min(sample.pieceRows(), Math.max(1, Math.ceil(tokens / perPiece)));
  }

  private Path cachePath() {
    return scratch.path("cache");
  }

  private Run cache(CorpusSample sample, int rows, int shardTokens) throws IOException {
    Map<String, String> own = new TreeMap<>();
    own.put(Options.CACHE.key(), cachePath().toString());
    own.put(Options.CORPUS_LIMIT.key(), Integer.toString(rows));
    own.put(Options.SHARD_TOKENS.key(), Integer.toString(shardTokens));
    Settings recipe = CorpusSample.recipe(settings, sample.pieces()).with(own);
    scratch.delete(cachePath());
    try (TaskTimes times = new TaskTimes(spark)) {
      long start = System.nanoTime();
      CacheRecord result = new CacheJob(spark, recipe).run();
      double wall = (System.nanoTime() - start) / 1e9;
      return new Run(result, wall, times.seconds());
    }
  }
}

package io.stillhouse.jobs.cache.build;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.Lease;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.storage.DiskFull;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.TargetChoice;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * Builds a cache of token ids and labels without targets, for training that has no teacher. A
 * restart restores what is missing.
 */
public final class InputsJob {
  private static final TargetChoice NONE = TargetChoice.none(Dtype.FLOAT32);
  private static final String NO_NAME = "";

  private final CacheContext context;
  private final HuggingFaceDirectory model;
  private final CorpusPlanner planner;

  /**
   * Checks the recipe against the model and writes nothing.
   *
   * @param model model whose tokenizer and head the rows are made for
   * @throws io.stillhouse.error.StillhouseException if the model cannot read the rows
   */
  public InputsJob(SparkSession spark, Settings settings, HuggingFaceDirectory model) {
    Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
    Path cache = storage.requireExclusive(Options.CACHE.key(), settings.get(Options.CACHE));
    this.context = new CacheContext(spark, settings, storage, cache, Recipe.corpus(settings));
    this.model = model;
    ModelCheck.of(settings, "the model", model.spec()).requireReads().head();
    this.planner = new CorpusPlanner(context, ShardSize.of(settings, NONE, model.spec()));
  }

  /**
   * Opens or plans the cache, and brings its plan up to date.
   *
   * @return how many rows were left out, and why; empty if none
   */
  public Optional<String> run() throws IOException {
    try {
      return write();
    } catch (Exception e) { // Spark throws checked exceptions that it does not declare
      DiskFull.explain(e, context.storage(), context.cache());
      throw e;
    }
  }

  @SuppressWarnings("try") // the lease only has to be held
  private Optional<String> write() throws IOException {
    long start = System.nanoTime();
    OpenCache open = OpenCache.openOrCreate(context, planner, model, null);
    try (Lease lease = Lease.acquire(context.storage(), context.cache())) {
      OpenCache.Restored restored = open.restore();
      CachePlan plan = restored.hasNewText() ? open.grow(restored) : restored.plan();
      planner.requireFewInvalid(plan, open.manifest().state(), NO_NAME);
      if (CacheRecord.last(context.storage(), context.cache(), NO_NAME) == null) {
        record(plan, open.manifest(), (System.nanoTime() - start) / 1e9);
      }
      return InvalidRowPolicy.line(
          planner.invalid(plan, open.manifest().state(), NO_NAME), plan.corpus().rows());
    }
  }

  private void record(CachePlan plan, ManifestLog manifest, double seconds) throws IOException {
    new CacheSummary(context.cache(), NO_NAME, List.of())
        .record(plan, manifest, TeacherStage.Totals.NONE, seconds, 0)
        .write(context.storage(), context.cache(), NO_NAME);
  }
}

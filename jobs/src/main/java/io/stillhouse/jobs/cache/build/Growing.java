package io.stillhouse.jobs.cache.build;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Recipe;
import java.io.IOException;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/**
 * Adds the rows of new files to a cache, as shards after those that it has. Their inputs are
 * written first, under names of this attempt's own, and count from the manifest entry on that names
 * them.
 */
final class Growing {
  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final Planning planning;

  Growing(SparkSession spark, Settings settings, Storage storage, Path cache, Planning planning) {
    this.spark = spark;
    this.settings = settings;
    this.storage = storage;
    this.cache = cache;
    this.planning = planning;
  }

  /**
   * Grows a plan by the files that it lacks.
   *
   * @throws io.stillhouse.error.StillhouseException if a row's key is in the cache already, or
   *     another run has written to the manifest since
   */
  CachePlan grow(CachePlan plan, ManifestLog manifest, CorpusMatch corpus) throws IOException {
    if (settings.get(Options.CORPUS_LIMIT) > 0) {
      throw Errors.invalid(
          "corpus.limit is %d, so cache '%s' holds the first rows of its files and cannot grow by %s"
              .formatted(settings.get(Options.CORPUS_LIMIT), cache, names(corpus)),
          "leave the new files out, or name another cache.path");
    }
    PlanPart part = write(plan, corpus);
    try {
      requireNewKeys(plan, manifest, part);
      manifest.append(new ManifestChange.PartAdded(part));
    } catch (StillhouseException e) { // of any other failure nobody knows what it left
      planning.discard(cache, part.inputs());
      throw e;
    }
    storage.writeText(part.file(cache), part.toJson());
    return plan.grownBy(List.of(part), cache);
  }

  /** Writes the inputs of new files; nothing counts yet. */
  PlanPart write(CachePlan plan, CorpusMatch corpus) throws IOException {
    List<String> paths = corpus.added().keySet().stream().map(Path::toString).toList();
    return planning.part(
        cache,
        Recipe.corpus(settings, paths),
        corpus.addedFiles(),
        List.copyOf(corpus.added().values()),
        plan.shards().size());
  }

  private static List<String> names(CorpusMatch corpus) {
    return corpus.added().values().stream().map(CorpusFile::name).toList();
  }

  private void requireNewKeys(CachePlan plan, ManifestLog manifest, PlanPart part) {
    List<CacheFile> before =
        plan.shards().stream()
            .map(shard -> manifest.state().inputs(shard.shard()).orElseThrow())
            .toList();
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobGroup("cache", "row keys of new files against the cache's", true);
    JavaRDD<String> twice = keys(context, before).intersection(keys(context, part.inputs()));
    List<String> first = twice.takeOrdered(1);
    if (!first.isEmpty()) {
      throw Errors.invalid(
          "%d rows of the new files have keys that cache '%s' has already, such as '%s'"
              .formatted(twice.count(), cache, first.get(0)),
          settings.get(Options.CORPUS_ID).isEmpty()
              ? "give the new file another name, since keys are its name and the row's number"
              : "give new rows ids of their own in column '%s'"
                  .formatted(settings.get(Options.CORPUS_ID)));
    }
  }

  private JavaRDD<String> keys(JavaSparkContext context, List<CacheFile> files) {
    String place = cache.toString();
    return context
        .parallelize(files, Math.min(files.size(), 4 * context.defaultParallelism()))
        .flatMap(
            file -> {
              Storage own = Storage.ofThisProcess();
              return Planner.keys(new CheckedFile(own, new Path(place), file), own).iterator();
            });
  }
}

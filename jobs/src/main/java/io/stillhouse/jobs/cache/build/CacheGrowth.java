package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CheckedFile;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Adds the rows of new files to a cache, in shards after the existing ones. Their inputs are
 * written first, under names that no other run uses, and become part of the cache once a manifest
 * entry names them.
 */
final class CacheGrowth {
  private static final Logger LOG = LoggerFactory.getLogger(CacheGrowth.class);

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final CorpusPlanner planner;

  CacheGrowth(CacheContext context, CorpusPlanner planner) {
    this.spark = context.spark();
    this.settings = context.settings();
    this.storage = context.storage();
    this.cache = context.cache();
    this.planner = planner;
  }

  /**
   * Adds the files that are not in a plan yet.
   *
   * @throws StillhouseException if a row's key is in the cache already, or another run has written
   *     to the manifest since it was read
   */
  CachePlan grow(CachePlan plan, ManifestLog manifest, CorpusMatch corpus) throws IOException {
    List<String> names = corpus.added().names();
    if (settings.get(Options.CORPUS_LIMIT) > 0) {
      throw Errors.invalid(
          format(
              "corpus.limit is %d, so cache '%s' holds the first rows of its files and cannot grow"
                  + " by %s",
              settings.get(Options.CORPUS_LIMIT), cache, names),
          "leave the new files out, or name another cache.path");
    }
    PlanPart part = write(plan, corpus);
    try {
      requireNewKeys(plan, manifest, part);
      manifest.append(new ManifestChange.PartAdded(part));
    } catch (StillhouseException e) { // after any other failure, the entry may have been written
      planner.discard(cache, part.inputs());
      throw e;
    }
    storage.writeText(part.file(cache), part.toJson());
    LOG.info(
        "cache '{}' grew by {} shards, starting at shard {}: {} rows of {}",
        cache,
        part.shards().size(),
        part.firstShard(),
        part.corpus().rows(),
        names);
    return plan.plus(List.of(part), cache);
  }

  /** Writes the inputs of new files, which no manifest entry names yet. */
  PlanPart write(CachePlan plan, CorpusMatch corpus) throws IOException {
    List<String> paths = corpus.addedPaths().stream().map(Path::toString).toList();
    return planner.part(
        cache, Recipe.corpus(settings, paths), corpus.added(), plan.shards().size());
  }

  private void requireNewKeys(CachePlan plan, ManifestLog manifest, PlanPart part) {
    List<CacheFile> before =
        plan.shards().stream()
            .map(shard -> manifest.state().inputs(shard.shard()).orElseThrow())
            .toList();
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobGroup("cache", "row keys of new files and of the cache", true);
    JavaRDD<String> repeated = keys(context, before).intersection(keys(context, part.inputs()));
    List<String> first = repeated.takeOrdered(1);
    if (!first.isEmpty()) {
      throw Errors.invalid(
          format(
              "%d rows of the new files have keys that cache '%s' already has, such as '%s'",
              repeated.count(), cache, first.get(0)),
          settings.get(Options.CORPUS_ID).isEmpty()
              ? "rename the new file, since keys consist of the file name and the row number"
              : format(
                  "give new rows ids that are not in the cache, in column '%s'",
                  settings.get(Options.CORPUS_ID)));
    }
  }

  private JavaRDD<String> keys(JavaSparkContext context, List<CacheFile> files) {
    String directory = cache.toString();
    return context
        .parallelize(files, Math.min(files.size(), 4 * context.defaultParallelism()))
        .flatMap(
            file -> {
              Storage local = Storage.ofThisProcess();
              return RowKeys.read(new CheckedFile(local, new Path(directory), file), local)
                  .iterator();
            });
  }
}

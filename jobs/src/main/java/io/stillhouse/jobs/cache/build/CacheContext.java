package io.stillhouse.jobs.cache.build;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * The session, settings and storage of a command, the cache that it writes to, and the text that
 * the cache is to hold.
 */
record CacheContext(
    SparkSession spark, Settings settings, Storage storage, Path cache, CorpusSpec corpus) {
  /** Creates the context of a cache of targets. */
  CacheContext(SparkSession spark, Settings settings, Storage storage, Path cache) {
    this(spark, settings, storage, cache, Recipe.cachedCorpus(settings));
  }
}

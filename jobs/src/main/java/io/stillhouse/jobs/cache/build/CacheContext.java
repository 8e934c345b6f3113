package io.stillhouse.jobs.cache.build;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.storage.Storage;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/** The session, settings and storage of a command, and the cache that it writes to. */
record CacheContext(SparkSession spark, Settings settings, Storage storage, Path cache) {
  CacheContext(SparkSession spark, Settings settings, Path cache) {
    this(spark, settings, new Storage(spark.sparkContext().hadoopConfiguration()), cache);
  }
}

package io.stillhouse.jobs.cache.build;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

/** Base of tests with a small cache of labelled rows in float32. */
@Tag("spark")
abstract class CacheFixture {
  static final int ROWS = 120;
  static final Storage STORAGE = new Storage(new Configuration());

  @TempDir static Path shared;
  @TempDir Path directory;

  static SparkSession spark;
  static Path corpus;
  static Path cache;
  static CacheRecord first;

  @BeforeAll
  static void cachesOnce() throws IOException {
    spark = Tiny.spark();
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), ROWS, "LABEL_2", "0");
    cache = shared.resolve("cache");
    first = run(settings(cache, "targets.hidden=[0,3]", "targets.attention=[2]"));
  }

  static CacheRecord run(Settings settings) throws IOException {
    return new CacheJob(spark, settings).run();
  }

  static Settings settings(Path cache, String... more) {
    return TinyRecipe.labelled(corpus)
        .cache(cache)
        .shardTokens(400)
        .with("cache.batch-tokens=128", "targets.scores=stored", "targets.dtype=float32")
        .settings(more);
  }

  Path copyOfCache() throws IOException {
    return Tiny.copy(cache, directory.resolve("copy"));
  }

  static List<Path> parquet(Path cache, String family) throws IOException {
    try (var files = Files.list(cache.resolve(family))) {
      return files.filter(file -> file.toString().endsWith(".parquet")).toList();
    }
  }
}

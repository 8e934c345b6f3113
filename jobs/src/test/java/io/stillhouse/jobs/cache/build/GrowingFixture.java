package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

/** Base of tests that each modify a copy of a small finished cache. */
@Tag("spark")
abstract class GrowingFixture {
  static final Storage STORAGE = new Storage(new Configuration());
  static final List<Column> COLUMNS =
      List.of(Targets.LOGITS, Targets.hidden(1), Targets.hidden(3), Targets.attention(3));

  @TempDir static Path shared;
  @TempDir Path directory;

  static SparkSession spark;
  static Path base;
  static CacheRecord first;

  Path old;
  Path cache;

  @BeforeAll
  static void cachesOnce() throws IOException {
    spark = Tiny.spark();
    Path corpus = Tiny.labelled(shared.resolve("old.tsv"), 60, "LABEL_2", "0");
    base = shared.resolve("cache");
    first = new CacheJob(spark, settings(base, List.of(corpus))).run();
  }

  @BeforeEach
  void copiesCache() throws IOException {
    old = directory.resolve("old.tsv");
    FileUtils.copyFile(shared.resolve("old.tsv").toFile(), old.toFile());
    cache = Tiny.copy(base, directory.resolve("cache"));
  }

  Path tsv(String name, int rows) throws IOException {
    return Tiny.labelled(directory.resolve(name), rows, "LABEL_1", "2");
  }

  ManifestLog manifest() throws IOException {
    return ManifestLog.read(STORAGE, hadoop());
  }

  /** Returns the SHA-256 of each file that no later run may change. */
  Map<String, String> hashes() throws IOException {
    Map<String, String> hashes = new TreeMap<>();
    for (String name : Tiny.files(cache).keySet()) {
      if (!name.equals("cache.json") && !name.equals("verify.json")) {
        hashes.put(name, STORAGE.sha256(new org.apache.hadoop.fs.Path(hadoop(), name)));
      }
    }
    return hashes;
  }

  Map<String, Example> rows() throws IOException {
    Map<String, Example> rows = new TreeMap<>();
    List<Column> present =
        COLUMNS.stream().filter(column -> columns().contains(column.name())).toList();
    CacheReader reader = CacheReader.open(STORAGE, hadoop(), present);
    for (Example row : CacheRows.rows(reader)) {
      assertThat(rows.put(row.id(), row)).as(row.id()).isNull();
    }
    return rows;
  }

  TreeSet<String> columns() {
    try {
      return new TreeSet<>(manifest().state().columns(""));
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  VerifyJob.Result verify(String... settings) throws IOException {
    return Tiny.verify(cache, settings);
  }

  org.apache.hadoop.fs.Path hadoop() {
    return CacheRows.hadoop(cache);
  }

  CacheRecord run(List<Path> corpus, String... more) throws IOException {
    return new CacheJob(spark, settings(cache, corpus, more)).run();
  }

  static Map<String, List<byte[]>> cells(Map<String, Example> rows) {
    Map<String, List<byte[]>> cells = new TreeMap<>();
    rows.forEach((id, row) -> cells.put(id, COLUMNS.stream().map(row::cell).toList()));
    return cells;
  }

  static Settings settings(Path cache, List<Path> corpus, String... more) {
    String paths = corpus.stream().map(Path::toString).collect(Collectors.joining(",", "[", "]"));
    return TinyRecipe.labelled(paths)
        .cache(cache)
        .shardTokens(300)
        .with(
            "targets.hidden=[1,3]",
            "targets.attention=[3]",
            "targets.scores=stored",
            "targets.dtype=float32")
        .settings(more);
  }
}

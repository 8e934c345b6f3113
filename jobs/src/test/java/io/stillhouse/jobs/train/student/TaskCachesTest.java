package io.stillhouse.jobs.train.student;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class TaskCachesTest {
  @TempDir private Path directory;

  private TinyRecipe recipe;
  private Path cache;

  @BeforeEach
  void cache() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 12, "LABEL_2", "LABEL_0");
    cache = directory.resolve("cache");
    recipe = TinyRecipe.labelled(rows).cache(cache);
    new CacheJob(Tiny.spark(), recipe.settings()).run();
  }

  @Test
  void opensUnchangedCacheOnce() throws IOException {
    assertThat(open()).isSameAs(open());
  }

  @Test
  void opensCacheAgainAfterManifestGrew() throws IOException {
    CacheReader before = open();
    new CacheJob(Tiny.spark(), recipe.settings("targets.hidden=[1]")).run();

    assertThat(before.has(Targets.hidden(1))).isFalse();
    assertThat(open().has(Targets.hidden(1))).isTrue();
  }

  @Test
  void opensCacheAgainAfterManifestFileWasRewritten() throws IOException {
    CacheReader before = open();
    try (var entries = Files.list(cache.resolve(ManifestLog.DIRECTORY))) {
      Path entry = entries.filter(file -> file.toString().endsWith(".json")).findFirst().get();
      Files.setLastModifiedTime(entry, FileTime.fromMillis(1_000_000));
    }

    assertThat(open()).isNotSameAs(before);
  }

  private CacheReader open() throws IOException {
    return TaskCaches.open(
        Storage.ofThisProcess(), new org.apache.hadoop.fs.Path(cache.toString()), "");
  }
}

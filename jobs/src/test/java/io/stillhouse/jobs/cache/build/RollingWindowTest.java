package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.cache.layout.Acknowledgements;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.Lease;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A window of two shards over a local cache of four. */
class RollingWindowTest {
  @TempDir private Path directory;

  private LocalCache cache;
  private ManifestLog manifest;
  private Lease lease;

  @BeforeEach
  void plansCache() throws IOException {
    cache = new LocalCache(directory.resolve("cache"));
    cache.plan(4);
    manifest = cache.manifest();
    lease = Lease.acquire(cache.storage, cache.path);
  }

  @AfterEach
  void closesLease() throws IOException {
    lease.close();
  }

  @Test
  void startsWithFirstShards() throws IOException {
    RollingWindow window = moved();

    assertThat(List.of(window.holds(0), window.holds(1), window.holds(2)))
        .containsExactly(true, true, false);
  }

  @Test
  void waitsForFirstStudent() throws IOException {
    assertThat(moved().waitsFor()).isEqualTo("waits for a student: run train with the same recipe");
  }

  @Test
  void startsAtShardOfSlowestStudent() throws IOException {
    acknowledge("fast", 3);
    acknowledge("slow", 1);
    RollingWindow window = moved();

    assertThat(List.of(window.holds(0), window.holds(1), window.holds(2), window.holds(3)))
        .containsExactly(false, true, true, false);
  }

  @Test
  void namesSlowestStudents() throws IOException {
    acknowledge("a", 1);
    acknowledge("b", 1);
    acknowledge("c", 2);

    assertThat(moved().waitsFor()).isEqualTo("waits for a and b to be done with shard 1");
  }

  @Test
  void dropsShardsThatEveryStudentHasRead() throws IOException {
    CacheFile read = cache.addTargets(manifest, 0);
    CacheFile needed = cache.addTargets(manifest, 1);
    acknowledge("student", 1);
    moved();

    assertThat(manifest.state().dropped()).containsOnlyKeys(0);
    assertThat(manifest.state().dropped().get(0).students()).containsExactly("student");
    assertThat(file(read)).doesNotExist();
    assertThat(file(needed)).exists();
  }

  @Test
  void doesNotDropShardThatIsBeingComputed() throws IOException {
    acknowledge("student", 2);
    RollingWindow window = window();
    window.move(Set.of(0));

    assertThat(manifest.state().dropped()).containsOnlyKeys(1);
  }

  @Test
  void doesNotMoveBackWhenStudentJoins() throws IOException {
    acknowledge("student", 2);
    RollingWindow window = moved();
    acknowledge("late", 0);
    window.move(Set.of());

    assertThat(window.holds(1)).isFalse();
  }

  @Test
  void removesUnnamedFilesOfDroppedShardAtOnce() throws IOException {
    cache.create("hidden/shard-000000-0000.parquet");
    acknowledge("student", 1);
    RollingWindow window = moved(); // drops the shard
    try (Lease other = Lease.acquire(cache.storage, cache.path)) {
      window.move(Set.of());
    }

    assertThat(directory.resolve("cache/hidden/shard-000000-0000.parquet")).doesNotExist();
  }

  @Test
  void removesUnnamedFilesOfOtherShardsIfNoOtherCommandWrites() throws IOException {
    cache.create("hidden/shard-000003-0000.parquet");
    moved();

    assertThat(directory.resolve("cache/hidden/shard-000003-0000.parquet")).doesNotExist();
  }

  @Test
  void leavesUnnamedFilesOfOtherShardsWhileAnotherCommandWrites() throws IOException {
    cache.create("hidden/shard-000003-0000.parquet");
    try (Lease other = Lease.acquire(cache.storage, cache.path)) {
      moved();
    }

    assertThat(directory.resolve("cache/hidden/shard-000003-0000.parquet")).exists();
  }

  private RollingWindow window() throws IOException {
    return new RollingWindow(cache.storage, cache.path, manifest, lease, 2);
  }

  private RollingWindow moved() throws IOException {
    RollingWindow window = window();
    window.move(Set.of());
    return window;
  }

  private void acknowledge(String student, int needs) throws IOException {
    new Acknowledgements(cache.storage, cache.path)
        .write(new Acknowledgements.Student(student, "students", needs));
  }

  private Path file(CacheFile file) {
    return cache.directory.resolve(file.path());
  }
}

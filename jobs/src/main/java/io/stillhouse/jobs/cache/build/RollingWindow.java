package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.layout.Acknowledgements;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CacheLeftovers;
import io.stillhouse.jobs.cache.layout.Lease;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Family;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;

/**
 * Moves a window over a cache's shards, on its driver: drops those that every student has seen, and
 * says which may be computed. A shard is dropped by a manifest entry first; the files go after, so
 * that a kill in between leaves files that nobody needs and the next run removes.
 */
final class RollingWindow {
  private static final long LOOKS_SECONDS = 10;

  private final Storage storage;
  private final Path cache;
  private final ManifestLog manifest;
  private final Lease lease;
  private final int size;
  private final Acknowledgements acknowledgements;
  private final List<CacheLeftovers.Found> leftBehind;
  private List<Acknowledgements.Student> students = List.of();
  private int first;
  private long looked;

  /**
   * @param lease of this run
   * @param size the most shards whose target files may lie in the cache
   */
  RollingWindow(Storage storage, Path cache, ManifestLog manifest, Lease lease, int size)
      throws IOException {
    this.storage = storage;
    this.cache = cache;
    this.manifest = manifest;
    this.lease = lease;
    this.size = size;
    this.acknowledgements = new Acknowledgements(storage, cache);
    this.leftBehind = new ArrayList<>(leftBehind());
  }

  /** Returns target files that a run before this one left unnamed. */
  private List<CacheLeftovers.Found> leftBehind() throws IOException {
    Set<String> named =
        manifest.state().files().stream()
            .map(CacheFile::path)
            .collect(Collectors.toCollection(HashSet::new));
    return CacheLeftovers.list(storage, cache).stream()
        .filter(found -> found.shard() >= 0 && !named.contains(found.entry()))
        .toList();
  }

  /**
   * Drops what every student has seen.
   *
   * @param unfinished shards that are being computed
   */
  void move(Set<Integer> unfinished) throws IOException {
    removeLeftBehind();
    students = acknowledgements.all();
    int needed = students.stream().mapToInt(Acknowledgements.Student::needs).min().orElse(0);
    first = Math.max(first, needed);
    List<Integer> passed =
        IntStream.range(0, first)
            .filter(shard -> !manifest.state().isDropped(shard) && !unfinished.contains(shard))
            .boxed()
            .toList();
    if (passed.isEmpty()) {
      return;
    }
    List<CacheFile> files =
        manifest.state().files().stream()
            .filter(file -> passed.contains(file.shard()))
            .filter(file -> !file.family().equals(Family.INPUTS.id()))
            .toList();
    List<String> names = students.stream().map(Acknowledgements.Student::student).toList();
    manifest.append(new ManifestChange.TargetsDropped(passed, names));
    for (CacheFile file : files) {
      Path path = new Path(cache, file.path());
      storage.fileSystem(path).delete(path, false);
    }
  }

  /**
   * Removes what an earlier run left: of dropped shards at once, of others when that run is surely
   * dead.
   */
  private void removeLeftBehind() throws IOException {
    if (leftBehind.isEmpty()) {
      return;
    }
    boolean due =
        looked == 0 || System.nanoTime() - looked > TimeUnit.SECONDS.toNanos(LOOKS_SECONDS);
    boolean alone = due && lease.isTheOnlyOne();
    looked = due ? System.nanoTime() : looked;
    for (CacheLeftovers.Found found : List.copyOf(leftBehind)) {
      if (alone || manifest.state().isDropped(found.shard())) {
        Path path = found.status().getPath();
        storage.fileSystem(path).delete(path, false);
        leftBehind.remove(found);
      }
    }
  }

  /** Returns whether a shard may be computed. */
  boolean holds(int shard) {
    return shard >= first && shard < first + size;
  }

  /** Returns what this waits for, where no shard may be computed. */
  String waitsFor() {
    if (students.isEmpty()) {
      return "waits for a student: run train with the same recipe";
    }
    String slowest =
        students.stream()
            .filter(student -> student.needs() == first)
            .map(Acknowledgements.Student::student)
            .collect(Collectors.joining(" and "));
    return "waits for %s to be done with shard %d".formatted(slowest, first);
  }
}

package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.cache.layout.Acknowledgements;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.Lease;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.OrphanFiles;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves a window over a cache's shards, on the driver: drops shards that every student has read,
 * and decides which may be computed. A shard is first dropped by a manifest entry, and its files
 * are deleted afterwards. If the driver is killed in between, the next run deletes the files.
 */
final class RollingWindow implements RollingJobs.ShardWindow {
  private static final Logger LOG = LoggerFactory.getLogger(RollingWindow.class);
  private static final long CHECK_SECONDS = 10;

  private final Storage storage;
  private final Path cache;
  private final ManifestLog manifest;
  private final Lease lease;
  private final int size;
  private final Acknowledgements acknowledgements;
  private final List<OrphanFiles.Found> leftovers;
  private List<Acknowledgements.Student> students = List.of();
  private int first;
  private long lastLeaseCheck;

  /**
   * Finds the target files that earlier runs left behind.
   *
   * @param lease lease of this run
   * @param size maximum number of shards whose target files may be in the cache
   */
  RollingWindow(Storage storage, Path cache, ManifestLog manifest, Lease lease, int size)
      throws IOException {
    this.storage = storage;
    this.cache = cache;
    this.manifest = manifest;
    this.lease = lease;
    this.size = size;
    this.acknowledgements = new Acknowledgements(storage, cache);
    this.leftovers = new ArrayList<>(unnamedTargets());
  }

  /** Returns target files that no manifest entry names. */
  private List<OrphanFiles.Found> unnamedTargets() throws IOException {
    Set<String> named =
        manifest.state().files().stream()
            .map(CacheFile::path)
            .collect(Collectors.toCollection(HashSet::new));
    return OrphanFiles.list(storage, cache).stream()
        .filter(found -> found.shard() >= 0 && !named.contains(found.entry()))
        .toList();
  }

  @Override
  public void move(Set<Integer> unfinished) throws IOException {
    removeLeftovers();
    students = acknowledgements.all();
    int needed = students.stream().mapToInt(Acknowledgements.Student::needs).min().orElse(0);
    first = Math.max(first, needed);
    List<Integer> passed =
        IntStream.range(0, first)
            .filter(shard -> !manifest.state().isDropped(shard) && !unfinished.contains(shard))
            .boxed()
            .toList();
    if (!passed.isEmpty()) {
      drop(passed);
    }
  }

  private void drop(List<Integer> shards) throws IOException {
    List<CacheFile> files =
        manifest.state().files().stream()
            .filter(file -> shards.contains(file.shard()))
            .filter(file -> !file.family().equals(Family.INPUTS.id()))
            .toList();
    List<String> names = students.stream().map(Acknowledgements.Student::student).toList();
    LOG.debug(
        "dropping shards {} of cache '{}', which {} have read; the window starts at shard {}",
        shards,
        cache,
        names,
        first);
    manifest.append(new ManifestChange.TargetsDropped(shards, names));
    for (CacheFile file : files) {
      Path path = new Path(cache, file.path());
      storage.fileSystem(path).delete(path, false);
    }
  }

  /**
   * Removes what earlier runs left behind: files of dropped shards immediately, others when no
   * other run can still be writing them.
   */
  private void removeLeftovers() throws IOException {
    if (leftovers.isEmpty()) {
      return;
    }
    boolean due =
        lastLeaseCheck == 0
            || System.nanoTime() - lastLeaseCheck > TimeUnit.SECONDS.toNanos(CHECK_SECONDS);
    boolean alone = due && lease.isOnlyHolder();
    lastLeaseCheck = due ? System.nanoTime() : lastLeaseCheck;
    for (OrphanFiles.Found found : List.copyOf(leftovers)) {
      if (alone || manifest.state().isDropped(found.shard())) {
        Path path = found.status().getPath();
        LOG.info("removing '{}', which an earlier run left behind", path);
        storage.fileSystem(path).delete(path, false);
        leftovers.remove(found);
      }
    }
  }

  @Override
  public boolean holds(int shard) {
    return shard >= first && shard < first + size;
  }

  @Override
  public String waitsFor() {
    if (students.isEmpty()) {
      return "waits for a student: run train with the same recipe";
    }
    String slowest =
        students.stream()
            .filter(student -> student.needs() == first)
            .map(Acknowledgements.Student::student)
            .collect(Collectors.joining(" and "));
    return format("waits for %s to be done with shard %d", slowest, first);
  }
}

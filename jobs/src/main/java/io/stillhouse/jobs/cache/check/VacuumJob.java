package io.stillhouse.jobs.cache.check;

import io.stillhouse.jobs.cache.layout.CacheLeftovers;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.Lease;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Removes what no manifest entry names: files of attempts that were killed, lost a race or were
 * revoked, of shards that were dropped, temporary files, and plannings that never became this
 * cache.
 */
public final class VacuumJob {
  private VacuumJob() {}

  /** What was removed. */
  public record Result(String cache, List<String> removed, long bytes) {}

  /**
   * Collects a cache's orphans.
   *
   * @throws io.stillhouse.error.StillhouseException if it is no cache, its manifest is damaged, or
   *     a command writes to it
   */
  public static Result run(Storage storage, Path cache) throws IOException {
    CachePlan.read(storage, cache);
    // In this order: what is listed before nobody writes, and named by no entry after, never
    // counts.
    List<CacheLeftovers.Found> found = CacheLeftovers.list(storage, cache);
    Lease.requireNone(storage, cache);
    Set<String> named = new HashSet<>();
    ManifestLog.read(storage, cache).state().files().forEach(file -> named.add(file.path()));
    List<String> removed = new ArrayList<>();
    long bytes = 0;
    FileSystem fs = storage.fileSystem(cache);
    for (FileStatus orphan :
        found.stream()
            .filter(f -> !named.contains(f.entry()))
            .map(CacheLeftovers.Found::status)
            .toList()) {
      bytes += fs.getContentSummary(orphan.getPath()).getLength();
      removed.add(relative(cache, orphan.getPath()));
      fs.delete(orphan.getPath(), true);
    }
    removed.sort(null);
    return new Result(cache.toString(), removed, bytes);
  }

  /** Returns a path as seen from the cache's parent. */
  private static String relative(Path cache, Path path) {
    String parent = cache.getParent().toUri().getPath();
    return path.toUri().getPath().substring(parent.length() + 1);
  }
}

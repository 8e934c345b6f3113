package io.stillhouse.jobs.cache.check;

import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.Lease;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.OrphanFiles;
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
 * Removes files that no manifest entry names: files of tasks that were killed or lost a race,
 * revoked files, files of dropped shards, temporary files, and staging directories of planning runs
 * that did not finish.
 */
public final class VacuumJob {
  private VacuumJob() {}

  /**
   * What was removed.
   *
   * @param removed paths relative to the parent of the cache
   * @param bytes their total size
   */
  public record Result(String cache, List<String> removed, long bytes) {}

  /**
   * Removes the files that do not belong to a cache.
   *
   * @throws io.stillhouse.error.StillhouseException if the path is not a cache, its manifest is
   *     damaged, or a command is writing to it
   */
  public static Result run(Storage storage, Path cache) throws IOException {
    CachePlan.read(storage, cache);
    // The order matters. A file that is listed while no command is writing, and is not named by an
    // entry read afterwards, can never become part of the cache.
    List<OrphanFiles.Found> found = OrphanFiles.list(storage, cache);
    Lease.requireNone(storage, cache);
    Set<String> named = new HashSet<>();
    ManifestLog.read(storage, cache).state().files().forEach(file -> named.add(file.path()));
    List<String> removed = new ArrayList<>();
    long bytes = 0;
    FileSystem fs = storage.fileSystem(cache);
    for (FileStatus orphan :
        found.stream()
            .filter(f -> !named.contains(f.entry()))
            .map(OrphanFiles.Found::status)
            .toList()) {
      bytes += fs.getContentSummary(orphan.getPath()).getLength();
      removed.add(relative(cache, orphan.getPath()));
      fs.delete(orphan.getPath(), true);
    }
    removed.sort(null);
    return new Result(cache.toString(), removed, bytes);
  }

  /** Returns a path relative to the cache's parent. */
  private static String relative(Path cache, Path path) {
    String parent = cache.getParent().toUri().getPath();
    return path.toUri().getPath().substring(parent.length() + 1);
  }
}

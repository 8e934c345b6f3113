package io.stillhouse.jobs.cache;

import io.stillhouse.target.Family;
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
 * revoked, temporary files, and plannings that never became this cache.
 */
public final class CollectJob {
  private CollectJob() {}

  /** What was removed. */
  public record Result(String cache, List<String> removed, long bytes) {}

  /**
   * Collects a cache's orphans.
   *
   * @throws io.stillhouse.error.StillhouseException if it is no cache, its manifest is damaged, or
   *     a command writes to it
   */
  public static Result run(Storage storage, Path cache) throws IOException {
    Plan.read(storage, cache);
    Manifest manifest = Manifest.read(storage, cache);
    Lease.requireNone(storage, cache);
    Set<String> named = new HashSet<>();
    manifest.files().forEach(file -> named.add(file.path()));
    List<String> removed = new ArrayList<>();
    long bytes = 0;
    FileSystem fs = storage.fileSystem(cache);
    for (FileStatus orphan : orphans(fs, cache, named)) {
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

  private static List<FileStatus> orphans(FileSystem fs, Path cache, Set<String> named)
      throws IOException {
    List<FileStatus> orphans = new ArrayList<>();
    for (Family family : Family.values()) {
      Path directory = new Path(cache, family.id());
      if (fs.exists(directory)) {
        for (FileStatus file : fs.listStatus(directory)) {
          if (!named.contains(family.id() + "/" + file.getPath().getName())) {
            orphans.add(file);
          }
        }
      }
    }
    for (Path directory :
        List.of(cache, new Path(cache, Manifest.DIRECTORY), new Path(cache, CacheJob.TEACHER))) {
      for (FileStatus file : fs.listStatus(directory)) {
        if (file.getPath().getName().startsWith("_")) {
          orphans.add(file);
        }
      }
    }
    for (FileStatus file : fs.listStatus(cache.getParent())) {
      if (file.getPath().getName().startsWith("_" + cache.getName() + "-planning")) {
        orphans.add(file);
      }
    }
    return orphans;
  }
}

package io.stillhouse.jobs.cache;

import io.stillhouse.target.Family;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Removes what no manifest entry names: files of attempts that were killed, lost a race or were
 * revoked, of units that were dropped, temporary files, and plannings that never became this cache.
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
    // In this order: what is listed before nobody writes, and named by no entry after, never
    // counts.
    List<Found> found = unnecessary(storage, cache);
    Lease.requireNone(storage, cache);
    Set<String> named = new HashSet<>();
    Manifest.read(storage, cache).files().forEach(file -> named.add(file.path()));
    List<String> removed = new ArrayList<>();
    long bytes = 0;
    FileSystem fs = storage.fileSystem(cache);
    for (FileStatus orphan :
        found.stream().filter(f -> !named.contains(f.entry())).map(Found::status).toList()) {
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

  /** A file or directory, and the path under which a manifest entry may name it. */
  record Found(FileStatus status, String entry) {
    private static final Pattern TARGETS = Pattern.compile("(?!inputs/).*unit-(\\d{6,})-.*");

    /** Returns the unit whose targets it holds, or -1 where it holds none. */
    int unit() {
      Matcher targets = TARGETS.matcher(entry);
      return targets.matches() ? Integer.parseInt(targets.group(1)) : -1;
    }
  }

  /** Returns the targets of all families, and what never counts. */
  static List<Found> unnecessary(Storage storage, Path cache) throws IOException {
    FileSystem fs = storage.fileSystem(cache);
    List<Path> homes = new ArrayList<>(List.of(cache));
    homes.addAll(new PlanFiles(storage, cache).teacherFolders());
    List<Found> found = new ArrayList<>();
    for (Path home : homes) {
      String prefix = home.equals(cache) ? "" : TeacherFolder.prefix(home.getName());
      for (Family family : Family.values()) {
        for (FileStatus file : list(fs, new Path(home, family.id()))) {
          found.add(new Found(file, prefix + family.id() + "/" + file.getPath().getName()));
        }
      }
      temporary(fs, home, found);
      temporary(fs, new Path(home, CacheJob.TEACHER), found);
    }
    temporary(fs, new Path(cache, Manifest.DIRECTORY), found);
    temporary(fs, new Path(cache, Acknowledgements.DIRECTORY), found);
    for (FileStatus file : Staging.left(storage, cache)) {
      found.add(new Found(file, ""));
    }
    return found;
  }

  private static void temporary(FileSystem fs, Path directory, List<Found> to) throws IOException {
    for (FileStatus file : list(fs, directory)) {
      if (file.getPath().getName().startsWith("_")) {
        to.add(new Found(file, ""));
      }
    }
  }

  private static List<FileStatus> list(FileSystem fs, Path directory) throws IOException {
    return fs.exists(directory) ? List.of(fs.listStatus(directory)) : List.of();
  }
}

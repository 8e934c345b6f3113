package io.stillhouse.jobs.cache.layout;

import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Family;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** Finds the files of a cache that may no longer be needed: target files and temporary files. */
public final class OrphanFiles {
  private OrphanFiles() {}

  /** A file or directory, and the path under which a manifest entry may name it. */
  public record Found(FileStatus status, String entry) {
    private static final Pattern TARGETS = Pattern.compile("(?!inputs/).*shard-(\\d{6,})-.*");

    /** Returns the shard whose targets it holds, or -1 if it holds none. */
    public int shard() {
      Matcher targets = TARGETS.matcher(entry);
      return targets.matches() ? Integer.parseInt(targets.group(1)) : -1;
    }
  }

  /** Returns the files of all families, and temporary files and directories. */
  public static List<Found> list(Storage storage, Path cache) throws IOException {
    FileSystem fs = storage.fileSystem(cache);
    List<Path> homes = new ArrayList<>(List.of(cache));
    homes.addAll(new PlanStore(storage, cache).teacherFolders());
    List<Found> found = new ArrayList<>();
    for (Path home : homes) {
      String prefix = home.equals(cache) ? "" : TeacherFolder.prefix(home.getName());
      for (Family family : Family.values()) {
        for (FileStatus file : list(fs, new Path(home, family.id()))) {
          found.add(new Found(file, prefix + family.id() + "/" + file.getPath().getName()));
        }
      }
      temporary(fs, home, found);
      temporary(fs, new Path(home, TeacherFolder.NAME), found);
    }
    temporary(fs, new Path(cache, ManifestLog.DIRECTORY), found);
    temporary(fs, new Path(cache, Acknowledgements.DIRECTORY), found);
    for (FileStatus file : Staging.leftovers(storage, cache)) {
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

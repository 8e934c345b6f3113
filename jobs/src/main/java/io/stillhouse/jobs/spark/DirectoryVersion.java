package io.stillhouse.jobs.spark;

import io.stillhouse.jobs.storage.Storage;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The files of a directory and of its folders at one point in time, identified without reading
 * them: by names, lengths and modification times, and on local disks also by inode and the time of
 * the last change, which programs cannot set. Two equal versions have the same content.
 *
 * <p>File systems store times with a limited resolution, so a version with a file that was changed
 * less than two seconds ago equals no other. This requires clocks that differ by less than two
 * seconds, and a resolution of two seconds or better.
 *
 * @param path the directory, or a single file
 * @param files what is known about each file
 * @param unsettled a unique number if a file was changed less than two seconds ago; otherwise 0
 */
record DirectoryVersion(String path, List<String> files, long unsettled) {
  private static final long SETTLED_MILLIS = 2000;
  private static final AtomicLong UNIQUE = new AtomicLong();

  /** Reads the version of a directory or file; it has no files if the path does not exist. */
  static DirectoryVersion read(String path) throws IOException {
    Path qualified = Storage.ofThisProcess().qualify(path);
    FileSystem fs = Storage.ofThisProcess().fileSystem(qualified);
    List<FileStatus> all = new ArrayList<>();
    try {
      list(fs, qualified, all);
    } catch (FileNotFoundException e) {
      return new DirectoryVersion(path, List.of(), 0); // opening it reports what is missing
    }
    long changed = 0;
    List<String> files = new ArrayList<>();
    for (FileStatus file : all) {
      String name = file.getPath() + " " + file.getLen();
      if (fs.getUri().getScheme().equals("file")) {
        Map<String, Object> attributes =
            Files.readAttributes(
                java.nio.file.Path.of(file.getPath().toUri().getPath()),
                "unix:ino,ctime,lastModifiedTime");
        FileTime written = (FileTime) required(attributes, "lastModifiedTime");
        FileTime touched = (FileTime) required(attributes, "ctime");
        files.add(name + " " + written + " " + touched + " " + attributes.get("ino"));
        changed = Math.max(changed, Math.max(written.toMillis(), touched.toMillis()));
      } else {
        files.add(name + " " + file.getModificationTime());
        changed = Math.max(changed, file.getModificationTime());
      }
    }
    boolean settled = System.currentTimeMillis() - changed > SETTLED_MILLIS;
    return new DirectoryVersion(path, files, settled ? 0 : UNIQUE.incrementAndGet());
  }

  private static Object required(Map<String, Object> attributes, String name) {
    return Objects.requireNonNull(attributes.get(name), name);
  }

  /** Lists the files of a directory and of the folders directly in it, where exports are. */
  private static void list(FileSystem fs, Path path, List<FileStatus> to) throws IOException {
    for (FileStatus each : sorted(fs, path)) {
      if (each.isFile()) {
        to.add(each);
      } else {
        for (FileStatus inner : sorted(fs, each.getPath())) {
          if (inner.isFile()) {
            to.add(inner);
          }
        }
      }
    }
  }

  private static List<FileStatus> sorted(FileSystem fs, Path path) throws IOException {
    return Stream.of(fs.listStatus(path)).sorted().toList();
  }
}

package io.stillhouse.jobs.text;

import io.stillhouse.error.Errors;
import io.stillhouse.spec.CorpusSpec.Format;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** The data files below the paths that the user named, and the directory that keys start from. */
final class CorpusFiles {
  private static final Map<String, Format> FORMAT_OF_EXTENSION =
      Map.ofEntries(
          Map.entry("txt", Format.TEXT),
          Map.entry("text", Format.TEXT),
          Map.entry("csv", Format.CSV),
          Map.entry("tsv", Format.TSV),
          Map.entry("tab", Format.TSV),
          Map.entry("json", Format.JSON),
          Map.entry("jsonl", Format.JSON),
          Map.entry("ndjson", Format.JSON),
          Map.entry("parquet", Format.PARQUET),
          Map.entry("orc", Format.ORC));

  private static final Set<String> COMPRESSIONS =
      Set.of("gz", "bz2", "zst", "deflate", "lz4", "snappy");

  private final List<Path> files;
  private final Path root;

  private CorpusFiles(List<Path> files, Path root) {
    this.files = files;
    this.root = root;
  }

  /** Lists the files; a path with nothing at it is the user's mistake. */
  static CorpusFiles list(List<String> paths, Configuration hadoop) {
    List<Path> files = new ArrayList<>();
    List<Path> directories = new ArrayList<>();
    try {
      for (String named : paths) {
        Path path = new Path(named);
        FileSystem fileSystem = path.getFileSystem(hadoop);
        FileStatus[] found = fileSystem.globStatus(path);
        if (found == null || found.length == 0) {
          throw Errors.noSuchPath("corpus", named);
        }
        for (FileStatus status : found) {
          directories.add(status.isDirectory() ? status.getPath() : status.getPath().getParent());
          addFiles(fileSystem, status, files);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot list the corpus " + paths, e);
    }
    if (files.isEmpty()) {
      throw Errors.invalid(
          "the corpus %s holds no files".formatted(paths),
          "name a file, or a directory with files whose names do not start with '_' or '.'");
    }
    Set<Path> seen = new HashSet<>();
    for (Path file : files) {
      if (!seen.add(file)) {
        throw Errors.invalid(
            "the corpus %s holds the file '%s' twice".formatted(paths, file),
            "name each file or directory once");
      }
    }
    return new CorpusFiles(List.copyOf(files), commonDirectory(directories));
  }

  List<Path> files() {
    return files;
  }

  /** Returns the bytes of all files, compressed as they are. */
  long bytes(Configuration hadoop) {
    long bytes = 0;
    try {
      for (Path file : files) {
        bytes += file.getFileSystem(hadoop).getFileStatus(file).getLen();
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot size the corpus", e);
    }
    return bytes;
  }

  /** Returns a file's path relative to the directory that all named paths lie in. */
  String relativeName(Path file) {
    return relativeName(root.toUri().getPath(), file);
  }

  /** As {@link #relativeName(Path)}, for executors, which know only the root's path. */
  static String relativeName(String rootPath, Path file) {
    String path = file.toUri().getPath();
    String prefix = rootPath.endsWith("/") ? rootPath : rootPath + "/";
    if (!path.startsWith(prefix)) {
      throw new IllegalStateException("file '%s' is not below '%s'".formatted(path, rootPath));
    }
    return path.substring(prefix.length());
  }

  String rootPath() {
    return root.toUri().getPath();
  }

  /** Returns whether directories are partitions as Hive writes them, such as {@code split=dev}. */
  boolean partitioned() {
    return files.stream().anyMatch(file -> relativeName(file).matches("(.*/)?[^/]+=[^/]*/.*"));
  }

  /** Returns the one format that all extensions agree on. */
  Format detectFormat() {
    Map<Format, Path> exampleOf = new TreeMap<>();
    for (Path file : files) {
      Format format = FORMAT_OF_EXTENSION.get(extension(file.getName()));
      if (format == null) {
        throw Errors.invalid(
            "unknown corpus format: the name of '%s' does not tell how the file is written"
                .formatted(file),
            "set the corpus's format to text, csv, tsv, jsonl, parquet or orc");
      }
      exampleOf.putIfAbsent(format, file);
    }
    if (exampleOf.size() > 1) {
      throw Errors.invalid(
          "the corpus mixes formats: " + exampleOf,
          "name files of one format, or set the corpus's format");
    }
    return exampleOf.keySet().iterator().next();
  }

  private static String extension(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    String last = lower.substring(lower.lastIndexOf('.') + 1);
    if (COMPRESSIONS.contains(last) && lower.length() > last.length()) {
      return extension(lower.substring(0, lower.length() - last.length() - 1));
    }
    return last;
  }

  /** Takes what Spark takes: no name that starts with '.' or '_', but partitions such as _a=1. */
  private static void addFiles(FileSystem fileSystem, FileStatus status, List<Path> files)
      throws IOException {
    if (status.isFile()) {
      files.add(status.getPath());
      return;
    }
    for (FileStatus child : fileSystem.listStatus(status.getPath())) {
      String name = child.getPath().getName();
      if (!name.startsWith(".") && (!name.startsWith("_") || name.contains("="))) {
        addFiles(fileSystem, child, files);
      }
    }
  }

  private static Path commonDirectory(List<Path> directories) {
    Path common = directories.get(0);
    for (Path directory : directories) {
      while (!contains(common, directory)) {
        Path parent = common.getParent();
        if (parent == null) {
          throw Errors.invalid(
              "the corpus's paths lie in different file systems: %s and %s"
                  .formatted(directories.get(0), directory),
              "copy them into one");
        }
        common = parent;
      }
    }
    return common;
  }

  private static boolean contains(Path ancestor, Path path) {
    for (Path at = path; at != null; at = at.getParent()) {
      if (at.equals(ancestor)) {
        return true;
      }
    }
    return false;
  }
}

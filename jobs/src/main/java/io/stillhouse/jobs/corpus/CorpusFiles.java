package io.stillhouse.jobs.corpus;

import io.stillhouse.error.Errors;
import io.stillhouse.spec.CorpusSpec.Format;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
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

/**
 * The data files below the paths that the user named, and the name of each, which the keys of its
 * rows start with: its path below the directory that holds all named paths.
 */
public final class CorpusFiles {
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

  private final List<String> paths;
  private final List<Path> listed;
  private final Path root;
  private final Map<String, String> names;
  private final boolean each;

  private CorpusFiles(
      List<String> paths, List<Path> listed, Path root, Map<String, String> names, boolean each) {
    this.paths = paths;
    this.listed = listed;
    this.root = root;
    this.names = names;
    this.each = each;
  }

  /**
   * Lists the files; those of a named directory in the order of their paths.
   *
   * @throws io.stillhouse.error.StillhouseException if there is nothing at a path, or a file twice
   */
  public static CorpusFiles list(List<String> paths, Configuration hadoop) {
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
          List<Path> below = new ArrayList<>();
          addFiles(fileSystem, status, below);
          below.sort(null);
          files.addAll(below);
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
    Path root = commonDirectory(directories);
    Map<String, String> names = new HashMap<>();
    files.forEach(file -> names.put(key(file), relativeName(root, file)));
    return new CorpusFiles(List.copyOf(paths), List.copyOf(files), root, names, false);
  }

  /** Returns some of these files, under names of the caller's; each is read by itself. */
  public CorpusFiles only(Map<Path, String> namesOfSome) {
    Map<String, String> given = new HashMap<>();
    namesOfSome.forEach((file, name) -> given.put(key(file), name));
    List<String> some =
        listed.stream()
            .filter(file -> given.containsKey(key(file)))
            .map(CorpusFiles::literally)
            .toList();
    return new CorpusFiles(some, listed, root, given, true);
  }

  public List<Path> files() {
    return listed.stream().filter(file -> names.containsKey(key(file))).toList();
  }

  /** Returns the bytes of all files, compressed as they are. */
  long bytes(Configuration hadoop) {
    long bytes = 0;
    try {
      for (Path file : files()) {
        bytes += file.getFileSystem(hadoop).getFileStatus(file).getLen();
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot size the corpus", e);
    }
    return bytes;
  }

  /** Returns the name of a file. */
  public String name(Path file) {
    String name = names.get(key(file));
    if (name == null) {
      throw new IllegalStateException("'%s' is not a file of the corpus".formatted(file));
    }
    return name;
  }

  /** Returns what a reader is to read. */
  List<String> paths() {
    return paths;
  }

  /** Returns whether {@link #paths} names each file, and not what the user named. */
  boolean each() {
    return each;
  }

  /** Returns the directory that holds all named paths. */
  Path root() {
    return root;
  }

  /** Spark and Hadoop write the scheme of one file in more than one way. */
  private static String key(Path file) {
    return file.toUri().getPath();
  }

  /** Returns a path in which no character is a glob's. */
  private static String literally(Path file) {
    return file.toString().replaceAll("[\\[\\]{}*?\\\\]", "\\\\$0");
  }

  private static String relativeName(Path root, Path file) {
    String prefix = key(root).endsWith("/") ? key(root) : key(root) + "/";
    if (!key(file).startsWith(prefix)) {
      throw new IllegalStateException("file '%s' is not below '%s'".formatted(file, root));
    }
    return key(file).substring(prefix.length());
  }

  /** Returns whether directories are partitions as Hive writes them, such as {@code split=dev}. */
  boolean partitioned() {
    return listed.stream()
        .anyMatch(file -> relativeName(root, file).matches("(.*/)?[^/]+=[^/]*/.*"));
  }

  /** Returns the one format that all extensions agree on, those of files left out among them. */
  Format detectFormat() {
    Map<Format, Path> exampleOf = new TreeMap<>();
    for (Path file : listed) {
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

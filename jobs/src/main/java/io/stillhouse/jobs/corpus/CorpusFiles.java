package io.stillhouse.jobs.corpus;

import io.stillhouse.error.Errors;
import io.stillhouse.spec.CorpusSpec;
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
import java.util.function.Predicate;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The data files of a corpus and their names. A file's name is its path relative to the common
 * directory of the paths that the user named; the keys of the file's rows start with it.
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
  private final boolean listsSingleFiles;
  private final Set<String> unlabelled;

  private CorpusFiles(
      List<String> paths,
      List<Path> listed,
      Path root,
      Map<String, String> names,
      boolean listsSingleFiles,
      Set<String> unlabelled) {
    this.paths = paths;
    this.listed = listed;
    this.root = root;
    this.names = names;
    this.listsSingleFiles = listsSingleFiles;
    this.unlabelled = unlabelled;
  }

  /**
   * Lists the files. The files of a directory are sorted by path.
   *
   * @throws io.stillhouse.error.StillhouseException if a path does not exist, or a file is named
   *     twice
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
          "the corpus %s has no files".formatted(paths),
          "name a file, or a directory with files whose names do not start with '_' or '.'");
    }
    Set<Path> seen = new HashSet<>();
    for (Path file : files) {
      if (!seen.add(file)) {
        throw Errors.invalid(
            "the corpus %s names the file '%s' twice".formatted(paths, file),
            "name each file or directory once");
      }
    }
    Path root = commonDirectory(directories);
    Map<String, String> names = new HashMap<>();
    files.forEach(file -> names.put(key(file), relativeName(root, file)));
    return new CorpusFiles(List.copyOf(paths), List.copyOf(files), root, names, false, Set.of());
  }

  /**
   * Lists the files of a corpus with and without labels.
   *
   * @throws io.stillhouse.error.StillhouseException as for {@link #list(List, Configuration)}
   */
  public static CorpusFiles list(CorpusSpec spec, Configuration hadoop) {
    if (spec.unlabelled().isEmpty()) {
      return list(spec.paths(), hadoop);
    }
    List<String> paths = new ArrayList<>(spec.paths());
    paths.addAll(spec.unlabelled());
    CorpusFiles all = list(paths, hadoop);
    Set<String> unlabelled = new HashSet<>();
    list(spec.unlabelled(), hadoop).files().forEach(file -> unlabelled.add(key(file)));
    return new CorpusFiles(all.paths, all.listed, all.root, all.names, false, unlabelled);
  }

  /** Returns whether the rows of a file have no labels. */
  public boolean isUnlabelled(Path file) {
    return unlabelled.contains(key(file));
  }

  /** Returns the files whose rows have labels. */
  CorpusFiles labelledFiles() {
    return unlabelled.isEmpty() ? this : part(file -> !isUnlabelled(file), Set.of());
  }

  /** Returns the files whose rows have no labels. */
  CorpusFiles unlabelledFiles() {
    return part(this::isUnlabelled, unlabelled);
  }

  private CorpusFiles part(Predicate<Path> which, Set<String> unlabelledOfPart) {
    List<String> literal = files().stream().filter(which).map(CorpusFiles::escapeGlob).toList();
    Map<String, String> some = new HashMap<>();
    files().stream().filter(which).forEach(file -> some.put(key(file), name(file)));
    return new CorpusFiles(
        literal, listed.stream().filter(which).toList(), root, some, true, unlabelledOfPart);
  }

  /** Returns some of these files under the given names. */
  public CorpusFiles subset(Map<Path, String> namesOfSome) {
    Map<String, String> given = new HashMap<>();
    namesOfSome.forEach((file, name) -> given.put(key(file), name));
    List<String> some =
        listed.stream()
            .filter(file -> given.containsKey(key(file)))
            .map(CorpusFiles::escapeGlob)
            .toList();
    return new CorpusFiles(some, listed, root, given, true, unlabelled);
  }

  public List<Path> files() {
    return listed.stream().filter(file -> names.containsKey(key(file))).toList();
  }

  /** Returns the total size of the files as stored. */
  long bytes(Configuration hadoop) {
    long bytes = 0;
    try {
      for (Path file : files()) {
        bytes += file.getFileSystem(hadoop).getFileStatus(file).getLen();
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the sizes of the corpus's files", e);
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

  /** Returns the paths to pass to a reader. */
  List<String> paths() {
    return paths;
  }

  /** Returns whether {@link #paths} lists single files instead of the paths that the user named. */
  boolean listsSingleFiles() {
    return listsSingleFiles;
  }

  /** Returns the common directory of the named paths. */
  Path root() {
    return root;
  }

  /** Returns a path without its scheme, which Spark and Hadoop write in different ways. */
  private static String key(Path file) {
    return file.toUri().getPath();
  }

  /** Returns a path with glob characters escaped. */
  private static String escapeGlob(Path file) {
    return file.toString().replaceAll("[\\[\\]{}*?\\\\]", "\\\\$0");
  }

  private static String relativeName(Path root, Path file) {
    String prefix = key(root).endsWith("/") ? key(root) : key(root) + "/";
    if (!key(file).startsWith(prefix)) {
      throw new IllegalStateException("file '%s' is not below '%s'".formatted(file, root));
    }
    return key(file).substring(prefix.length());
  }

  /** Returns whether directories are Hive partitions, such as {@code split=dev}. */
  boolean partitioned() {
    return listed.stream()
        .anyMatch(file -> relativeName(root, file).matches("(.*/)?[^/]+=[^/]*/.*"));
  }

  /** Returns the format that the extensions of all listed files share. */
  Format detectFormat() {
    Map<Format, Path> exampleOf = new TreeMap<>();
    for (Path file : listed) {
      Format format = FORMAT_OF_EXTENSION.get(extension(file.getName()));
      if (format == null) {
        throw Errors.invalid(
            "cannot infer the format of the corpus from the name of '%s'".formatted(file),
            "set corpus.format to text, csv, tsv, jsonl, parquet or orc");
      }
      exampleOf.putIfAbsent(format, file);
    }
    if (exampleOf.size() > 1) {
      throw Errors.invalid(
          "the corpus mixes formats: " + exampleOf,
          "name files of one format, or set corpus.format");
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

  /**
   * Adds the files that Spark would read: it skips names that start with '.' or '_', except
   * partitions such as _a=1.
   */
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
              "the paths of the corpus are in different file systems: %s and %s"
                  .formatted(directories.get(0), directory),
              "copy them to one file system");
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

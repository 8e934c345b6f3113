package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.CorpusSpec.Format;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils;
import org.jspecify.annotations.Nullable;

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

  private final List<FileStatus> listed;
  private final Path root;
  private final Map<String, String> names;
  private final Set<String> unlabelled;

  private CorpusFiles(
      List<FileStatus> listed, Path root, Map<String, String> names, Set<String> unlabelled) {
    this.listed = listed;
    this.root = root;
    this.names = names;
    this.unlabelled = unlabelled;
  }

  /**
   * Lists the files. The files of a directory are sorted by path.
   *
   * @throws io.stillhouse.error.StillhouseException if a path does not exist, or a file is named
   *     twice
   */
  public static CorpusFiles list(List<String> paths, Configuration hadoop) {
    PathLister lister = new PathLister(new Storage(hadoop).hadoop());
    List<FileStatus> files = new ArrayList<>();
    List<Path> directories = new ArrayList<>();
    for (FileStatus status : lister.named(paths)) {
      directories.add(status.isDirectory() ? status.getPath() : status.getPath().getParent());
      files.addAll(lister.files(status));
    }
    if (files.isEmpty()) {
      throw Errors.invalid(
          format("the corpus %s has no files", paths),
          "name a file, or a directory with files whose names do not start with '_' or '.'");
    }
    Set<Path> seen = new HashSet<>();
    for (FileStatus file : files) {
      if (!seen.add(file.getPath())) {
        throw Errors.invalid(
            format("the corpus %s names the file '%s' twice", paths, file.getPath()),
            "name each file or directory once");
      }
    }
    Path root = commonDirectory(directories);
    Map<String, String> names = new HashMap<>();
    files.forEach(file -> names.put(key(file.getPath()), relativeName(root, file.getPath())));
    return new CorpusFiles(List.copyOf(files), root, names, Set.of());
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
    return new CorpusFiles(all.listed, all.root, all.names, unlabelled);
  }

  /** Returns whether the rows of a file have no labels. */
  public boolean isUnlabelled(Path file) {
    return unlabelled.contains(key(file));
  }

  /** Returns the files whose rows have labels. */
  CorpusFiles labelledFiles() {
    return unlabelled.isEmpty() ? this : part(file -> !isUnlabelled(file));
  }

  /** Returns the files whose rows have no labels. */
  CorpusFiles unlabelledFiles() {
    return part(this::isUnlabelled);
  }

  private CorpusFiles part(Predicate<Path> which) {
    List<FileStatus> some = listed.stream().filter(file -> which.test(file.getPath())).toList();
    Map<String, String> namesOfSome = new HashMap<>(names);
    namesOfSome
        .keySet()
        .retainAll(some.stream().map(file -> key(file.getPath())).collect(Collectors.toSet()));
    return new CorpusFiles(some, root, namesOfSome, unlabelled);
  }

  /** Returns some of these files under the given names. */
  public CorpusFiles subset(Map<Path, String> namesOfSome) {
    Map<String, String> given = new HashMap<>();
    namesOfSome.forEach((file, name) -> given.put(key(file), name));
    return new CorpusFiles(listed, root, given, unlabelled);
  }

  public List<Path> files() {
    return statuses().stream().map(FileStatus::getPath).toList();
  }

  /** Returns the files with their lengths. */
  List<FileStatus> statuses() {
    return listed.stream().filter(file -> names.containsKey(key(file.getPath()))).toList();
  }

  /** Returns the total size of the files as stored. */
  long bytes() {
    return statuses().stream().mapToLong(FileStatus::getLen).sum();
  }

  /** Returns the name of a file. */
  public String name(Path file) {
    String name = names.get(key(file));
    if (name == null) {
      throw new IllegalStateException(format("'%s' is not a file of the corpus", file));
    }
    return name;
  }

  /** Returns a path without its scheme, which Spark and Hadoop write in different ways. */
  private static String key(Path file) {
    return file.toUri().getPath();
  }

  private static String relativeName(Path root, Path file) {
    String prefix = key(root).endsWith("/") ? key(root) : key(root) + "/";
    if (!key(file).startsWith(prefix)) {
      throw new IllegalStateException(format("file '%s' is not below '%s'", file, root));
    }
    return key(file).substring(prefix.length());
  }

  /**
   * Returns the columns that the names of a file's directories define, as in {@code
   * split=dev/rows.csv}, in order. The values are texts as written; Hive's name for a missing value
   * gives null.
   */
  Map<String, @Nullable String> directoryColumns(Path file) {
    Map<String, @Nullable String> columns = new LinkedHashMap<>();
    String[] parts = relativeName(root, file).split("/", -1);
    for (int part = 0; part < parts.length - 1; part++) {
      int equals = parts[part].indexOf('=');
      if (equals > 0) {
        String value = ExternalCatalogUtils.unescapePathName(parts[part].substring(equals + 1));
        columns.put(
            ExternalCatalogUtils.unescapePathName(parts[part].substring(0, equals)),
            value.equals(ExternalCatalogUtils.DEFAULT_PARTITION_NAME()) ? null : value);
      }
    }
    return columns;
  }

  /** Returns the format that the extensions of all listed files share. */
  Format detectFormat() {
    Map<Format, Path> exampleOf = new TreeMap<>();
    for (FileStatus file : listed) {
      Format format = FORMAT_OF_EXTENSION.get(extension(file.getPath().getName()));
      if (format == null) {
        throw Errors.invalid(
            format("cannot infer the format of the corpus from the name of '%s'", file.getPath()),
            "set corpus.format to text, csv, tsv, jsonl, parquet or orc");
      }
      exampleOf.putIfAbsent(format, file.getPath());
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

  private static Path commonDirectory(List<Path> directories) {
    Path common = directories.get(0);
    for (Path directory : directories) {
      while (!contains(common, directory)) {
        Path parent = common.getParent();
        if (parent == null) {
          throw Errors.invalid(
              format(
                  "the paths of the corpus are in different file systems: %s and %s",
                  directories.get(0), directory),
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

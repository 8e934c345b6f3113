package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.corpus.read.FileHead;
import io.stillhouse.jobs.corpus.read.FileRange;
import io.stillhouse.jobs.corpus.read.FileRow;
import io.stillhouse.jobs.corpus.read.Role;
import io.stillhouse.jobs.corpus.read.TextLayout;
import io.stillhouse.jobs.corpus.read.TextRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.CorpusSpec.Format;
import io.stillhouse.spec.CorpusSpec.HeaderRow;
import java.net.URI;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/** Opens CSV, TSV, JSON and text files with the readers of {@code corpus.read}. */
final class TextTable {
  private final SparkSession spark;
  private final CorpusSpec spec;
  private final Format format;
  private final CorpusFiles files;
  private final List<FileStatus> statuses;

  TextTable(SparkSession spark, CorpusSpec spec, Format format, CorpusFiles files) {
    this.spark = spark;
    this.spec = spec;
    this.format = format;
    this.files = files;
    this.statuses = files.statuses().stream().filter(file -> file.getLen() > 0).toList();
  }

  private boolean header() {
    return format.isDelimited() && spec.header() == HeaderRow.PRESENT;
  }

  /** Finds the columns at the start of the files. */
  ColumnNames columns() {
    List<FileHead> heads =
        heads(new TextLayout(format, spec.encoding().name(), header(), 0, Map.of(), Map.of()));
    if (statuses.isEmpty()
        || format.isDelimited() && heads.stream().allMatch(head -> head.columns().isEmpty())) {
      throw Corpus.noRows(spec);
    }
    return new ColumnNames(
        format,
        format == Format.TEXT ? List.of(CorpusTable.LINE) : columns(heads),
        directoryColumns(),
        format.isDelimited() && !header());
  }

  CorpusTable open(long mostBytes) {
    ColumnNames names = columns();
    Map<Role, ColumnNames.Place> places = new EnumMap<>(Role.class);
    Map<Role, Integer> fields = new EnumMap<>(Role.class);
    Map<Role, String> keys = new EnumMap<>(Role.class);
    Map<Role, String> unseen = new EnumMap<>(Role.class);
    CorpusTable.wanted(spec.columns(), names)
        .forEach(
            (role, name) -> {
              if (format == Format.JSON && !names.inDirectories().contains(name)) {
                keys.put(role, name);
                if (!names.contains(name)) {
                  unseen.put(role, name);
                }
                return;
              }
              ColumnNames.Place place = names.find(name, role);
              places.put(role, place);
              if (!place.inDirectory() && format.isDelimited()) {
                fields.put(role, place.index());
              }
            });
    TextLayout complete =
        new TextLayout(
            format, spec.encoding().name(), header(), names.inFiles().size(), fields, keys);
    return table(complete, places, names, unseen, mostBytes);
  }

  private CorpusTable table(
      TextLayout layout,
      Map<Role, ColumnNames.Place> places,
      ColumnNames names,
      Map<Role, String> unseen,
      long mostBytes) {
    Configuration hadoop = new Storage(spark.sparkContext().hadoopConfiguration()).hadoop();
    FileRanges ranges = new FileRanges(spark, hadoop, mostBytes);
    List<List<FileRange>> partitions =
        ranges.cut(statuses, layout.splits(), file -> fromDirectory(files, file, places));
    JavaRDD<FileRow> rows =
        ranges.rdd(partitions).mapPartitions(partition -> read(partition, layout));
    List<Long> bytes =
        partitions.stream()
            .map(partition -> partition.stream().mapToLong(FileRange::length).sum())
            .toList();
    return new CorpusTable(rows, bytes, names, unseen);
  }

  /** Reads the ranges of a partition one after another. */
  private static Iterator<FileRow> read(Iterator<List<FileRange>> partition, TextLayout layout) {
    Configuration hadoop = Storage.ofThisProcess().hadoop();
    Iterator<FileRange> ranges = partition.next().iterator();
    return new Iterator<>() {
      private @Nullable TextRows open;

      @Override
      public boolean hasNext() {
        while ((open == null || !open.hasNext()) && ranges.hasNext()) {
          open = TextRows.open(ranges.next(), layout, hadoop);
        }
        return open != null && open.hasNext();
      }

      @Override
      public FileRow next() {
        if (!hasNext() || open == null) {
          throw new NoSuchElementException();
        }
        return open.next();
      }
    };
  }

  private List<FileHead> heads(TextLayout layout) {
    if (statuses.isEmpty()) {
      return List.of();
    }
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    List<FileRange> whole = statuses.stream().map(FileRanges::whole).toList();
    List<FileHead> heads =
        context
            .parallelize(whole, Math.min(whole.size(), 4 * context.defaultParallelism()))
            .mapPartitions(part -> heads(part, layout))
            .collect();
    List<String> problems =
        heads.stream().map(FileHead::problem).filter(problem -> problem != null).limit(3).toList();
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return heads;
  }

  private static Iterator<FileHead> heads(Iterator<FileRange> files, TextLayout layout) {
    Configuration hadoop = Storage.ofThisProcess().hadoop();
    List<FileHead> heads = new ArrayList<>();
    files.forEachRemaining(file -> heads.add(FileHead.of(file, layout, hadoop)));
    return heads.iterator();
  }

  /** Returns the columns of the files, which must agree in CSV and TSV. */
  private List<String> columns(List<FileHead> heads) {
    if (!format.isDelimited()) {
      Set<String> keys = new LinkedHashSet<>();
      heads.forEach(head -> keys.addAll(head.columns()));
      return List.copyOf(keys);
    }
    FileHead first = null;
    for (FileHead head : heads) {
      if (head.columns().isEmpty()) {
        continue;
      }
      first = first == null ? head : first;
      boolean same =
          spec.header() == HeaderRow.PRESENT
              ? head.columns().equals(first.columns())
              : head.columns().size() == first.columns().size();
      if (!same) {
        throw Errors.invalid(
            format(
                "the corpus's files have different %s: '%s' has %s, '%s' has %s",
                spec.header() == HeaderRow.PRESENT ? "header rows" : "numbers of columns",
                name(first),
                shown(first),
                name(head),
                shown(head)),
            "give all files the same columns in the same order, or name only files that agree");
      }
    }
    return first == null ? List.of() : first.columns();
  }

  private String name(FileHead head) {
    return files.name(new Path(URI.create(head.file())));
  }

  private String shown(FileHead head) {
    if (spec.header() == HeaderRow.ABSENT) {
      return Integer.toString(head.columns().size());
    }
    String names = head.columns().toString();
    return names.length() <= 100 ? names : names.substring(0, 100) + " ...";
  }

  private List<String> directoryColumns() {
    Set<String> names = new LinkedHashSet<>();
    statuses.forEach(file -> names.addAll(files.directoryColumns(file.getPath()).keySet()));
    return List.copyOf(names);
  }

  /**
   * Returns the values that the directories of a file give to roles.
   *
   * @throws StillhouseException if the file is in no directory that defines a wanted column
   */
  static Map<Role, @Nullable String> fromDirectory(
      CorpusFiles files, Path file, Map<Role, ColumnNames.Place> places) {
    Map<Role, @Nullable String> values = new HashMap<>();
    places.forEach(
        (role, place) -> {
          if (place.inDirectory()) {
            Map<String, @Nullable String> columns = files.directoryColumns(file);
            if (!columns.containsKey(place.name())) {
              throw Errors.invalid(
                  format(
                      "the file '%s' of the corpus is in no directory %s=..., which gives other"
                          + " files their %s",
                      files.name(file), place.name(), role.word()),
                  "move it into such a directory, or name only files that are");
            }
            values.put(role, columns.get(place.name()));
          }
        });
    return values;
  }
}

package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.read.ColumnarHead;
import io.stillhouse.jobs.corpus.read.ColumnarRows;
import io.stillhouse.jobs.corpus.read.FileRow;
import io.stillhouse.jobs.corpus.read.Role;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.CorpusSpec.Format;
import java.net.URI;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.spark.Partition;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.execution.datasources.FilePartition;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.execution.datasources.orc.OrcFileFormat;
import org.apache.spark.sql.execution.datasources.parquet.ParquetFileFormat;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;
import scala.Option;

/**
 * Opens Parquet and ORC files with Spark. Only the wanted columns are read, so that others may have
 * types that Spark cannot read.
 */
final class ColumnarTable {
  private static final String RANGE_BYTES = "spark.sql.files.maxPartitionBytes";

  private final SparkSession spark;
  private final CorpusSpec spec;
  private final Format format;
  private final CorpusFiles files;

  ColumnarTable(SparkSession spark, CorpusSpec spec, Format format, CorpusFiles files) {
    this.spark = spark;
    this.spec = spec;
    this.format = format;
    this.files = files;
  }

  CorpusTable open(long mostBytes) {
    List<ColumnarHead> heads = heads();
    ColumnarHead first = heads.get(0);
    ColumnNames names = columns(first);
    Map<Role, ColumnNames.Place> places = new EnumMap<>(Role.class);
    CorpusTable.wanted(spec.columns(), names)
        .forEach((role, name) -> places.put(role, names.find(name, role)));
    requireAgreement(heads, places);
    Dataset<Row> table = load(first, places, mostBytes);
    Column[] columns =
        Stream.concat(
                Stream.of(Role.values()).map(role -> column(role, places.get(role), first, names)),
                Stream.of(
                    table.metadataColumn("_metadata").getField("file_path"),
                    table.metadataColumn("_metadata").getField("file_block_start")))
            .toArray(Column[]::new);
    String kind = format.name();
    JavaRDD<FileRow> rows =
        table
            .select(columns)
            .javaRDD()
            .mapPartitions(partition -> new ColumnarRows(partition, kind));
    List<Long> bytes = rows.partitions().stream().map(ColumnarTable::bytes).toList();
    return new CorpusTable(rows, bytes, names, Map.of());
  }

  /** Finds the columns of the first file. */
  ColumnNames columns() {
    return columns(heads().get(0));
  }

  private ColumnNames columns(ColumnarHead first) {
    return new ColumnNames(
        format, List.copyOf(first.columns().keySet()), directoryColumns(), false);
  }

  private static long bytes(Partition partition) {
    long bytes = 0;
    for (PartitionedFile file : ((FilePartition) partition).files()) {
      bytes += file.length();
    }
    return bytes;
  }

  private List<ColumnarHead> heads() {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    List<String> uris = files.files().stream().map(file -> file.toUri().toString()).toList();
    Format kind = format;
    List<ColumnarHead> heads =
        context
            .parallelize(uris, Math.min(uris.size(), 4 * context.defaultParallelism()))
            .mapPartitions(part -> heads(part, kind))
            .collect();
    List<String> problems =
        heads.stream()
            .map(ColumnarHead::problem)
            .filter(problem -> problem != null)
            .limit(3)
            .toList();
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return heads;
  }

  private static Iterator<ColumnarHead> heads(Iterator<String> uris, Format format) {
    Configuration hadoop = Storage.ofThisProcess().hadoop();
    List<ColumnarHead> heads = new ArrayList<>();
    uris.forEachRemaining(uri -> heads.add(ColumnarHead.of(uri, format, hadoop)));
    return heads.iterator();
  }

  private List<String> directoryColumns() {
    Set<String> names = new LinkedHashSet<>();
    files.files().forEach(file -> names.addAll(files.directoryColumns(file).keySet()));
    return List.copyOf(names);
  }

  /** Requires that every file has every wanted column, with one type that Spark can read. */
  private void requireAgreement(List<ColumnarHead> heads, Map<Role, ColumnNames.Place> places) {
    ColumnarHead first = heads.get(0);
    for (ColumnNames.Place place : places.values()) {
      for (ColumnarHead head : heads) {
        String column = place.name();
        if (place.inDirectory()) {
          if (head.columns().containsKey(column)) {
            throw Errors.invalid(
                format(
                    "column '%s' of the corpus is in '%s' and in the names of its directories",
                    column, name(head)),
                "rename one of them");
          }
          continue;
        }
        if (!head.columns().containsKey(column)) {
          throw Errors.invalid(
              format(
                  "the file '%s' of the corpus has no column '%s', unlike '%s'",
                  name(head), column, name(first)),
              "name only files that have it");
        }
        if (head.unreadable().containsKey(column)) {
          throw Errors.invalid(
              format(
                  "column '%s' of '%s' has a type that Spark cannot read: %s",
                  column, name(head), head.unreadable().get(column)),
              "write it with another type, such as string, or name another column");
        }
        if (!String.valueOf(head.columns().get(column)).equals(first.columns().get(column))) {
          throw Errors.invalid(
              format(
                  "column '%s' of the corpus has the type %s in '%s' and %s in '%s'",
                  column,
                  first.columns().get(column),
                  name(first),
                  head.columns().get(column),
                  name(head)),
              "give it one type in all files");
        }
      }
    }
  }

  private String name(ColumnarHead head) {
    return files.name(new Path(URI.create(head.file())));
  }

  private Dataset<Row> load(
      ColumnarHead head, Map<Role, ColumnNames.Place> places, long mostBytes) {
    StructType inFiles = new StructType();
    StructType inDirectories = new StructType();
    List<String> directoryNames = new ArrayList<>();
    Set<String> added = new LinkedHashSet<>();
    // ORC files of Hive name columns by their position, so all must be there.
    boolean all = format == Format.ORC && head.unreadable().isEmpty();
    for (Map.Entry<String, @Nullable String> column : head.columns().entrySet()) {
      String name = column.getKey();
      boolean wanted =
          places.values().stream()
              .anyMatch(place -> !place.inDirectory() && place.name().equals(name));
      String type = column.getValue();
      if ((wanted || all) && type != null) {
        inFiles = inFiles.add(name, DataType.fromJson(type));
      }
    }
    for (ColumnNames.Place place : places.values()) {
      if (place.inDirectory() && added.add(place.name())) {
        inDirectories = inDirectories.add(place.name(), DataTypes.StringType);
        directoryNames.add(place.name());
      }
    }
    ListedFiles index = new ListedFiles(inDirectories);
    for (FileStatus file : files.statuses()) {
      TextTable.fromDirectory(files, file.getPath(), places); // throws if a column is missing
      Map<String, @Nullable String> values = files.directoryColumns(file.getPath());
      List<@Nullable String> row = new ArrayList<>();
      directoryNames.forEach(name -> row.add(values.get(name)));
      index.add(file, row);
    }
    SparkSession own = spark.cloneSession();
    own.conf().set("spark.sql.caseSensitive", "true");
    own.conf().set(RANGE_BYTES, Long.toString(mostBytes));
    return own.baseRelationToDataFrame(
        new HadoopFsRelation(
            index,
            inDirectories,
            inFiles,
            Option.empty(),
            format == Format.PARQUET ? new ParquetFileFormat() : new OrcFileFormat(),
            rawLocalFiles(),
            own));
  }

  /** Returns options with which names of local files may contain colons. */
  private static scala.collection.immutable.Map<String, String> rawLocalFiles() {
    return new scala.collection.immutable.HashMap<String, String>()
        .updated("fs.file.impl", RawLocalFileSystem.class.getName())
        .updated("fs.file.impl.disable.cache", "true");
  }

  /**
   * Returns a column as bytes of UTF-8, as a string, or as a list of strings if the label is a
   * list. Without a name, the column is null.
   */
  static Column column(
      Role role, ColumnNames.@Nullable Place place, ColumnarHead head, ColumnNames names) {
    if (place == null) {
      return functions.lit(null).cast(DataTypes.StringType).as(role.word());
    }
    Column column = functions.col("`" + place.name().replace("`", "``") + "`");
    String json = head.columns().get(place.name());
    DataType type = json == null ? DataTypes.StringType : DataType.fromJson(json);
    if (type instanceof StringType || type instanceof BinaryType) {
      return column.cast(DataTypes.BinaryType).as(role.word());
    }
    if (role == Role.LABEL && type instanceof ArrayType list && !nested(list.elementType())) {
      return column.cast(DataTypes.createArrayType(DataTypes.StringType)).as(role.word());
    }
    if (nested(type)) {
      throw Errors.invalid(
          format(
              "column '%s' must hold single values to be the corpus's %s, but is of type %s",
              place.name(), role.word(), type.simpleString()),
          names.choices());
    }
    return column.cast(DataTypes.StringType).as(role.word());
  }

  private static boolean nested(DataType type) {
    return type instanceof StructType || type instanceof ArrayType || type instanceof MapType;
  }
}

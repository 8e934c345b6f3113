package io.stillhouse.jobs.predict;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.CorpusFiles;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.CorpusSpec.Columns;
import io.stillhouse.spec.CorpusSpec.Format;
import io.stillhouse.spec.CorpusSpec.HeaderRow;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.jspecify.annotations.Nullable;

/**
 * A table with all its columns, read by Spark. The strict readers of the corpus, which read only
 * the columns of the texts, count the rows and find those that cannot be read, which Spark would
 * repair or drop.
 */
final class InputTable {
  private static final String TEXT = "text";
  private static final long LEAST_ROWS = 1024;

  private final SparkSession spark;
  private final CorpusSpec spec;
  private final Dataset<Row> rows;

  private InputTable(SparkSession spark, CorpusSpec spec, Dataset<Row> rows) {
    this.spark = spark;
    this.spec = spec;
    this.rows = rows;
  }

  /**
   * Opens a table.
   *
   * @param spark a separate session, whose SQL settings are changed here
   * @param table a file, a directory or a glob
   * @throws io.stillhouse.error.StillhouseException if the table does not exist, its format is
   *     unknown, or the column of the text is missing
   */
  static InputTable open(SparkSession spark, Settings settings, String table) {
    spark.conf().set("spark.sql.caseSensitive", true);
    spark.conf().set("spark.sql.datetime.java8API.enabled", true);
    spark.conf().set("spark.sql.parquet.datetimeRebaseModeInWrite", "CORRECTED");
    spark.conf().set("spark.sql.parquet.int96RebaseModeInWrite", "CORRECTED");
    // Values of partition columns stay as they are written in the paths, such as 007.
    spark.conf().set("spark.sql.sources.partitionColumnTypeInference.enabled", false);
    CorpusSpec spec =
        new CorpusSpec(
            List.of(table),
            Format.of(settings.get(Options.CORPUS_FORMAT)),
            settings.get(Options.CORPUS_HEADER) ? HeaderRow.PRESENT : HeaderRow.ABSENT,
            settings.get(Options.CORPUS_ENCODING),
            Columns.LINES,
            0);
    Format format = Corpus.detectedFormat(spark, spec);
    List<String> names = Corpus.columns(spark, spec);
    Dataset<Row> rows = read(spark, spec, format);
    requireSameNames(names, rows, format, spec);
    String text = text(settings.get(Options.CORPUS_TEXT), names, rows, format);
    String pair = settings.get(Options.CORPUS_PAIR);
    Columns columns = new Columns(text, pair.isEmpty() ? null : pair, null, null);
    boolean lines = format == Format.TEXT && text.equals("value") && pair.isEmpty();
    return new InputTable(
        spark,
        new CorpusSpec(
            spec.paths(),
            format,
            spec.header(),
            spec.encoding(),
            lines ? Columns.LINES : columns,
            0),
        rows);
  }

  private static Dataset<Row> read(SparkSession spark, CorpusSpec spec, Format format) {
    if (format == Format.TEXT && !spec.encoding().equals(StandardCharsets.UTF_8)) {
      throw Errors.invalid(
          format(
              "corpus.encoding is %s, but predict reads plain text in UTF-8 only", spec.encoding()),
          "convert the files, for example with iconv");
    }
    DataFrameReader reader = SparkFormats.reader(spark, format, spec.header(), spec.encoding());
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    CorpusFiles files = CorpusFiles.list(spec.paths(), hadoop);
    Path given = new Path(spec.paths().get(0));
    try {
      FileSystem fs = given.getFileSystem(hadoop);
      if (fs.exists(given) && fs.getFileStatus(given).isDirectory()) {
        reader = reader.option("basePath", given.toString()); // of the partition columns
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return reader.load(files.files().stream().map(Path::toString).toArray(String[]::new));
  }

  /** Requires that Spark has found the columns that the strict readers have found. */
  private static void requireSameNames(
      List<String> names, Dataset<Row> rows, Format format, CorpusSpec spec) {
    boolean named =
        format != Format.JSON && (!format.isDelimited() || spec.header() == HeaderRow.PRESENT);
    if (named && !names.equals(List.of(rows.columns()))) {
      throw Errors.invalid(
          format(
              "the table %s has the columns %s, which Spark would read as %s",
              spec.paths(), names, Arrays.toString(rows.columns())),
          "give each column a unique name");
    }
  }

  /** Returns the column of the text: the given one, {@code text}, or the only column of strings. */
  private static String text(String given, List<String> names, Dataset<Row> rows, Format format) {
    if (!given.isEmpty()) {
      return given;
    }
    if (format == Format.TEXT) {
      return "value";
    }
    if (names.contains(TEXT)) {
      return TEXT;
    }
    List<String> strings =
        Stream.of(rows.schema().fields())
            .filter(field -> field.dataType().equals(DataTypes.StringType))
            .map(StructField::name)
            .toList();
    if (strings.size() != 1) {
      throw Errors.invalid(
          format("corpus.text is missing, and the table has the columns %s", names),
          "name the column of the text, such as corpus.text=" + names.get(0));
    }
    // A delimited table without a header has indices for names. JSON may have another order here.
    return names.contains(strings.get(0))
        ? strings.get(0)
        : names.get(rows.schema().fieldIndex(strings.get(0)));
  }

  /** Returns the table as Spark reads it. */
  Dataset<Row> rows() {
    return rows;
  }

  Format kind() {
    return spec.format();
  }

  HeaderRow header() {
    return spec.header();
  }

  /** Returns the index of the column of the text among {@link #rows}' columns. */
  int textIndex() {
    String text = spec.columns().text();
    return text == null ? rows.schema().fieldIndex("value") : index(text);
  }

  /** Returns the index of the column of the second text, or -1 if rows are single texts. */
  int pairIndex() {
    @Nullable String pair = spec.columns().pair();
    return pair == null ? -1 : index(pair);
  }

  private int index(String name) {
    boolean byIndex = kind().isDelimited() && header() == HeaderRow.ABSENT;
    return byIndex && name.matches("\\d{1,6}")
        ? Integer.parseInt(name)
        : rows.schema().fieldIndex(name);
  }

  /**
   * Counts the rows.
   *
   * @throws io.stillhouse.error.StillhouseException if there are none, if a column is missing or
   *     does not contain text, or if a row cannot be read
   */
  long count() {
    Corpus corpus = Corpus.read(spark, spec);
    new InvalidRowPolicy(false, 0).check(corpus.broken(), corpus.rowCount());
    return corpus.rowCount();
  }

  /**
   * Returns the rows in partitions for all cores. A table with few blocks is split by row number,
   * so that its rows keep their order.
   *
   * @param count number of rows
   */
  Dataset<Row> partitioned(long count) {
    int cores = spark.sparkContext().defaultParallelism();
    int wanted = (int) Math.min(2L * cores, (count + LEAST_ROWS - 1) / LEAST_ROWS);
    if (rows.rdd().getNumPartitions() >= Math.min(cores, wanted)) {
      return rows;
    }
    String number = "row";
    while (List.of(rows.columns()).contains(number)) {
      number += "_";
    }
    return rows.withColumn(number, functions.monotonically_increasing_id())
        .repartitionByRange(wanted, functions.col(number))
        .sortWithinPartitions(number)
        .drop(number);
  }
}

package io.stillhouse.jobs.corpus;

import io.stillhouse.error.Errors;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.CorpusSpec.Format;
import io.stillhouse.spec.CorpusSpec.HeaderRow;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * Opens a corpus with Spark as columns of strings in a fixed order, with the file and block of each
 * row. A label may be a list of strings.
 */
final class CorpusTable {
  static final int TEXT = 0;
  static final int PAIR = 1;
  static final int LABEL = 2;
  static final int ID = 3;
  static final int FILE = 4;
  static final int BLOCK = 5;

  private static final String LINE = "value";
  private static final String CORRUPT = "_corrupt_record";

  private CorpusTable() {}

  /**
   * Returns rows of text, pair, label, id, file and start of block. Columns that the recipe does
   * not name are null.
   */
  static JavaRDD<Row> open(SparkSession spark, CorpusSpec spec, Format format, CorpusFiles files) {
    Dataset<Row> table = load(spark, spec, format, files);
    boolean byIndex = format.isDelimited() && spec.header() == HeaderRow.ABSENT;
    Names names = new Names(table.schema(), byIndex, format);
    CorpusSpec.Columns columns = spec.columns();
    String text = columns.text() == null && format == Format.TEXT ? LINE : columns.text();
    if (text == null) {
      throw Errors.invalid(
          "a corpus of format %s needs a text column".formatted(format), names.choices());
    }
    return table
        .select(
            names.column(text, "text"),
            names.column(columns.pair(), "pair"),
            names.column(columns.label(), "label"),
            names.column(columns.id(), "id"),
            table.metadataColumn("_metadata").getField("file_path"),
            table.metadataColumn("_metadata").getField("file_block_start"))
        .javaRDD();
  }

  /** Returns the names by which a recipe can choose columns; none for plain text. */
  static List<String> columns(
      SparkSession spark, CorpusSpec spec, Format format, CorpusFiles files) {
    StructType schema = load(spark, spec, format, files).schema();
    if (format == Format.TEXT) {
      return List.of();
    }
    boolean byPlace = format.isDelimited() && spec.header() == HeaderRow.ABSENT;
    return byPlace
        ? IntStream.range(0, schema.size()).mapToObj(Integer::toString).toList()
        : List.of(schema.fieldNames());
  }

  private static Dataset<Row> load(
      SparkSession spark, CorpusSpec spec, Format format, CorpusFiles files) {
    String[] paths = files.paths().toArray(String[]::new);
    DataFrameReader reader = spark.read();
    if (!files.partitioned()) {
      reader = reader.option("recursiveFileLookup", true);
    } else if (files.listsSingleFiles()) {
      reader =
          reader.option(
              "basePath",
              files.root().toString()); // without it, the path of a single file has no partitions
    }
    return switch (format) {
      case TEXT -> reader.text(paths);
      // A quoted field may contain line breaks, so files cannot be split.
      case CSV ->
          delimited(reader, spec, files)
              .option("quote", "\"")
              .option("escape", "\"")
              .option("multiLine", true)
              .csv(paths);
      case TSV -> delimited(reader, spec, files).option("sep", "\t").option("quote", "").csv(paths);
      case JSON -> json(reader, paths);
      case PARQUET -> reader.parquet(paths);
      case ORC -> reader.orc(paths);
      case AUTO -> throw new IllegalStateException("the format must be detected first");
    };
  }

  private static DataFrameReader delimited(
      DataFrameReader reader, CorpusSpec spec, CorpusFiles files) {
    // With several files, Spark then checks that their headers are equal.
    return reader
        .option("header", spec.header() == HeaderRow.PRESENT)
        .option("enforceSchema", files.files().size() == 1);
  }

  private static Dataset<Row> json(DataFrameReader reader, String[] paths) {
    // Keep labels and ids as written, such as "1.0".
    Dataset<Row> table = reader.option("primitivesAsString", true).json(paths);
    if (Arrays.equals(table.columns(), new String[] {CORRUPT})) {
      throw Errors.invalid(
          "no line of the corpus %s is a JSON object".formatted(Arrays.toString(paths)),
          "write one object per line");
    }
    return table;
  }

  /**
   * Resolves the columns that the user names.
   *
   * @param byIndex whether columns are named by their index, because files have no header
   */
  record Names(StructType schema, boolean byIndex, Format format) {

    /**
     * Returns a column as a string, or a list of strings if the label is a list. Without a name,
     * the column is null.
     */
    Column column(@Nullable String name, String role) {
      if (name == null) {
        return functions.lit(null).cast(DataTypes.StringType).as(role);
      }
      String field = byIndex ? byIndex(name, role) : name;
      if (!List.of(schema.fieldNames()).contains(field)) {
        throw Errors.invalid(
            "the corpus has no column '%s' for its %s".formatted(name, role), choices());
      }
      DataType type = schema.apply(field).dataType();
      Column column = functions.col("`" + field.replace("`", "``") + "`");
      if (role.equals("label") && type instanceof ArrayType list && !nested(list.elementType())) {
        return column.cast(DataTypes.createArrayType(DataTypes.StringType)).as(role);
      }
      if (nested(type)) {
        throw Errors.invalid(
            "column '%s' must hold single values to be the corpus's %s, but is of type %s"
                .formatted(name, role, type.simpleString()),
            choices());
      }
      return column.cast(DataTypes.StringType).as(role);
    }

    private static boolean nested(DataType type) {
      return type instanceof StructType || type instanceof ArrayType || type instanceof MapType;
    }

    private String byIndex(String number, String role) {
      if (!number.matches("\\d{1,6}")) {
        throw Errors.invalid(
            "'%s' cannot be the corpus's %s: without a header row, columns have no names"
                .formatted(number, role),
            choices() + ", or set corpus.header=true");
      }
      int index = Integer.parseInt(number);
      if (index >= schema.size()) {
        throw Errors.invalid(
            "the corpus has no column %d for its %s: it has %d columns"
                .formatted(index, role, schema.size()),
            choices());
      }
      return schema.fieldNames()[index];
    }

    String choices() {
      if (format == Format.TEXT) {
        return "plain text has no columns: remove the column settings, or change corpus.format";
      }
      return "choose from "
          + (byIndex
              ? IntStream.range(0, schema.size()).boxed().toList()
              : List.of(schema.fieldNames()));
    }
  }
}

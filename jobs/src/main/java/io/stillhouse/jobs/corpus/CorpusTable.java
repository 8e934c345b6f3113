package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.read.FileRow;
import io.stillhouse.jobs.corpus.read.Role;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.CorpusSpec.Format;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;

/**
 * The records of a corpus, without keys.
 *
 * @param rows the records
 * @param bytes size of each partition as stored
 * @param columns the columns that were found at the start of the files
 * @param unseen columns of roles that were not found there, but may be in a later record of JSON
 */
record CorpusTable(
    JavaRDD<FileRow> rows, List<Long> bytes, ColumnNames columns, Map<Role, String> unseen) {
  /** The name of the only column of plain text. */
  static final String LINE = "value";

  /**
   * Opens the files of a corpus.
   *
   * @param mostBytes maximum number of bytes of a range of a file that is read at once
   */
  static CorpusTable open(SparkSession spark, CorpusSpec spec, CorpusFiles files, long mostBytes) {
    Format format = spec.format() == Format.AUTO ? files.detectFormat() : spec.format();
    return switch (format) {
      case TEXT, CSV, TSV, JSON -> new TextTable(spark, spec, format, files).open(mostBytes);
      case PARQUET, ORC -> new ColumnarTable(spark, spec, format, files).open(mostBytes);
      case AUTO -> throw new IllegalStateException("the format must be detected first");
    };
  }

  /** Returns the names by which a recipe can choose columns. */
  static ColumnNames columns(SparkSession spark, CorpusSpec spec, CorpusFiles files) {
    Format format = spec.format() == Format.AUTO ? files.detectFormat() : spec.format();
    return switch (format) {
      case TEXT, CSV, TSV, JSON -> new TextTable(spark, spec, format, files).columns();
      case PARQUET, ORC -> new ColumnarTable(spark, spec, format, files).columns();
      case AUTO -> throw new IllegalStateException("the format must be detected first");
    };
  }

  /**
   * Returns the column of each role that a recipe names.
   *
   * @param columns the columns that exist, for the message
   * @throws io.stillhouse.error.StillhouseException if there is no text column
   */
  static Map<Role, String> wanted(CorpusSpec.Columns wanted, ColumnNames columns) {
    Map<Role, String> names = new EnumMap<>(Role.class);
    for (Role role : Role.values()) {
      String name = role.column(wanted);
      if (name == null && role == Role.TEXT && columns.format() == Format.TEXT) {
        name = LINE;
      }
      if (name != null) {
        names.put(role, name);
      }
    }
    if (!names.containsKey(Role.TEXT)) {
      throw Errors.invalid(
          format("a corpus of format %s needs a text column", columns.format()), columns.choices());
    }
    return names;
  }

  /**
   * Requires that every column is in some record.
   *
   * @param present the roles that have a value in some record
   */
  void requireSeen(Set<Role> present) {
    unseen.forEach(
        (role, name) -> {
          if (!present.contains(role)) {
            throw columns.missing(name, role);
          }
        });
  }
}

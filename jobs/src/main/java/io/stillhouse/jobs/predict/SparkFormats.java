package io.stillhouse.jobs.predict;

import io.stillhouse.spec.CorpusSpec.Format;
import io.stillhouse.spec.CorpusSpec.HeaderRow;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.DataFrameWriter;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Spark's options for the formats of tables: values are neither trimmed, repaired nor dropped. */
final class SparkFormats {
  private static final String ENCODING = "encoding";
  private static final String NO_QUOTES = "";

  private SparkFormats() {}

  static DataFrameReader reader(
      SparkSession spark, Format format, HeaderRow header, Charset encoding) {
    Map<String, String> options = options(format, header);
    switch (format) {
      case CSV, TSV -> {
        options.put("mode", "FAILFAST");
        options.put("enforceSchema", "false"); // compares the headers of all files
        options.put("multiLine", String.valueOf(format == Format.CSV));
        options.put(ENCODING, encoding.name());
      }
      case JSON -> {
        options.put("mode", "FAILFAST");
        options.put("prefersDecimal", "true"); // a double would change the last digits
        if (!encoding.equals(StandardCharsets.UTF_8)) {
          options.put(ENCODING, encoding.name());
          options.put("lineSep", "\n");
        }
      }
      default -> {}
    }
    return spark.read().format(source(format)).options(options);
  }

  static DataFrameWriter<Row> writer(Dataset<Row> rows, Format format, HeaderRow header) {
    Map<String, String> options = options(format, header);
    switch (format) {
      case TSV -> options.put("emptyValue", "");
      case JSON -> options.put("ignoreNullFields", "false");
      default -> {}
    }
    // The other version may leave files of a task that was killed while it committed them.
    options.put("mapreduce.fileoutputcommitter.algorithm.version", "1");
    return rows.write().format(source(format)).options(options);
  }

  private static Map<String, String> options(Format format, HeaderRow header) {
    Map<String, String> options = new LinkedHashMap<>();
    if (format.isDelimited()) {
      options.put("header", String.valueOf(header == HeaderRow.PRESENT));
      options.put("ignoreLeadingWhiteSpace", "false");
      options.put("ignoreTrailingWhiteSpace", "false");
      boolean quoted = format == Format.CSV;
      options.put("sep", quoted ? "," : "\t");
      options.put("quote", quoted ? "\"" : NO_QUOTES);
      options.put("escape", quoted ? "\"" : "\0");
    }
    return options;
  }

  private static String source(Format format) {
    return format == Format.TSV ? "csv" : format.name().toLowerCase(Locale.ROOT);
  }
}

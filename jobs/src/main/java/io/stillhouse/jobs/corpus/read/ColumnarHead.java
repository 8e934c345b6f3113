package io.stillhouse.jobs.corpus.read;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.CorpusSpec.Format;
import java.io.IOException;
import java.io.Serializable;
import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.orc.OrcFile;
import org.apache.orc.Reader;
import org.apache.orc.TypeDescription;
import org.apache.parquet.HadoopReadOptions;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;
import org.apache.spark.sql.execution.datasources.orc.OrcUtils;
import org.apache.spark.sql.execution.datasources.parquet.ParquetToSparkSchemaConverter;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * The columns of a Parquet or ORC file.
 *
 * @param file the URI of the file
 * @param columns Spark's type of each column, as JSON, in order; null for a type that Spark cannot
 *     read
 * @param unreadable the types that Spark cannot read, by column
 * @param problem why the file cannot be read, and what to do; null if it can
 */
public record ColumnarHead(
    String file,
    Map<String, @Nullable String> columns,
    Map<String, String> unreadable,
    @Nullable String problem)
    implements Serializable {

  /** Reads the footer of a file. */
  public static ColumnarHead of(String file, Format format, Configuration hadoop) {
    Path path = new Path(URI.create(file));
    try {
      return format == Format.PARQUET ? parquet(file, path, hadoop) : orc(file, path, hadoop);
    } catch (IOException | RuntimeException e) {
      RuntimeException explained =
          Unreadable.explained(path.toString(), format.name(), new RuntimeException(e));
      if (explained instanceof StillhouseException mistake) {
        return new ColumnarHead(file, Map.of(), Map.of(), mistake.getMessage());
      }
      throw explained;
    }
  }

  private static ColumnarHead parquet(String file, Path path, Configuration hadoop)
      throws IOException {
    try (ParquetFileReader reader =
        ParquetFileReader.open(
            HadoopInputFile.fromPath(path, hadoop),
            HadoopReadOptions.builder(hadoop, path).build())) {
      // Binary values are read as UTF-8, timestamps without a zone as such, and names exactly.
      ParquetToSparkSchemaConverter converter =
          new ParquetToSparkSchemaConverter(false, true, true, true, false);
      Columns columns = new Columns();
      for (Type type : reader.getFileMetaData().getSchema().getFields()) {
        columns.add(
            type.getName(),
            type.toString(),
            () -> converter.convert(new MessageType("column", List.of(type))));
      }
      return columns.head(file);
    }
  }

  private static ColumnarHead orc(String file, Path path, Configuration hadoop) throws IOException {
    try (Reader reader = OrcFile.createReader(path, OrcFile.readerOptions(hadoop))) {
      Columns columns = new Columns();
      TypeDescription schema = reader.getSchema();
      for (int field = 0; field < schema.getFieldNames().size(); field++) {
        String name = schema.getFieldNames().get(field);
        TypeDescription type = schema.getChildren().get(field);
        columns.add(
            name,
            type.toString(),
            () ->
                OrcUtils.toCatalystSchema(
                    TypeDescription.createStruct().addField(name, type.clone())));
      }
      return columns.head(file);
    }
  }

  /** Converts the columns of a file one by one, because Spark refuses all if it cannot read one. */
  private static final class Columns {
    private final Map<String, @Nullable String> types = new LinkedHashMap<>();
    private final Map<String, String> unreadable = new LinkedHashMap<>();
    private final List<String> repeated = new ArrayList<>();

    private interface Conversion {
      StructType convert();
    }

    void add(String name, String written, Conversion conversion) {
      String type = null;
      try {
        type = conversion.convert().apply(0).dataType().json();
      } catch (Exception e) { // Spark throws checked exceptions that it does not declare
        unreadable.put(name, written.strip());
      }
      if (types.containsKey(name)) {
        repeated.add(name);
      }
      types.put(name, type);
    }

    ColumnarHead head(String file) {
      for (String name : repeated) {
        unreadable.put(name, "two columns of the same name");
      }
      return new ColumnarHead(file, types, unreadable, null);
    }
  }
}

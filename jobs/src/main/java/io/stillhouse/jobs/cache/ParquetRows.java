package io.stillhouse.jobs.cache;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.target.Column;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.column.ParquetProperties;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.codec.ZstandardCodec;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.hadoop.util.HadoopOutputFile;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.ParquetDecodingException;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;
import org.apache.parquet.schema.Types;

/**
 * Writes and reads rows of a {@link io.stillhouse.target.Targets} family with parquet-java alone,
 * so that it works inside tasks. A value is a String, Integer, Double or byte[] as its column's
 * type says, or null.
 */
final class ParquetRows {
  private static final long ROW_GROUP_BYTES = 64L << 20;
  private static final int PAGE_BYTES = 1 << 20;

  /** The default, 3, makes hidden states no smaller, in up to twice the time. */
  private static final String ZSTD_LEVEL = "2";

  private ParquetRows() {}

  /** Returns the Parquet schema of columns. */
  static MessageType schema(List<Column> columns) {
    List<Type> fields = new ArrayList<>();
    for (Column column : columns) {
      Type.Repetition repetition = Type.Repetition.OPTIONAL;
      fields.add(
          switch (column.type()) {
            case STRING ->
                Types.primitive(PrimitiveTypeName.BINARY, repetition)
                    .as(LogicalTypeAnnotation.stringType())
                    .named(column.name());
            case INT -> Types.primitive(PrimitiveTypeName.INT32, repetition).named(column.name());
            case DOUBLE ->
                Types.primitive(PrimitiveTypeName.DOUBLE, repetition).named(column.name());
            case IDS, UINT8, TOKEN_IDS, FLOAT32, UNSCALED, CELL ->
                Types.primitive(PrimitiveTypeName.BINARY, repetition).named(column.name());
          });
    }
    return new MessageType("stillhouse", fields);
  }

  /**
   * Opens a new file. Row groups and pages are bounded by bytes: a page's size is checked after
   * every row, since one cell may hold a megabyte. Tensors get no dictionary, which made them
   * larger.
   */
  static ParquetWriter<Object[]> writer(
      Path file, List<Column> columns, Map<String, String> metadata, Configuration hadoop)
      throws IOException {
    Builder builder = new Builder(HadoopOutputFile.fromPath(file, hadoop), columns, metadata);
    builder
        .withConf(hadoop)
        .config(ZstandardCodec.PARQUET_COMPRESS_ZSTD_LEVEL, ZSTD_LEVEL)
        .withCompressionCodec(CompressionCodecName.ZSTD)
        .withWriterVersion(ParquetProperties.WriterVersion.PARQUET_1_0)
        .withRowGroupSize(ROW_GROUP_BYTES)
        .withPageSize(PAGE_BYTES)
        .withMinRowCountForPageSizeCheck(1)
        .withMaxRowCountForPageSizeCheck(16)
        .withPageWriteChecksumEnabled(true)
        .withDictionaryEncoding(false);
    return builder.build();
  }

  /** Reads the named columns of every row, in the file's order. */
  static List<Object[]> read(InputFile file, List<Column> columns, Configuration hadoop)
      throws IOException {
    Configuration conf = new Configuration(hadoop);
    conf.set(ReadSupport.PARQUET_READ_SCHEMA, schema(columns).toString());
    conf.setBoolean("parquet.page.verify-checksum.enabled", true);
    List<Object[]> rows = new ArrayList<>();
    try (ParquetReader<org.apache.parquet.example.data.Group> reader =
        new Reader(file).withConf(conf).build()) {
      for (org.apache.parquet.example.data.Group group = reader.read();
          group != null;
          group = reader.read()) {
        Object[] row = new Object[columns.size()];
        for (int i = 0; i < row.length; i++) {
          row[i] = value(group, i, columns.get(i).type());
        }
        rows.add(row);
      }
    } catch (ParquetDecodingException e) {
      if (e.getCause() instanceof StillhouseException damage) {
        throw damage; // our own words, not the file format's
      }
      throw e;
    }
    return rows;
  }

  private static final class Reader
      extends ParquetReader.Builder<org.apache.parquet.example.data.Group> {
    Reader(InputFile file) {
      super(file);
    }

    @Override
    protected ReadSupport<org.apache.parquet.example.data.Group> getReadSupport() {
      return new GroupReadSupport();
    }
  }

  /** Reads the key-value metadata of a file. */
  static Map<String, String> metadata(Path file, Configuration hadoop) throws IOException {
    try (ParquetFileReader reader =
        ParquetFileReader.open(HadoopInputFile.fromPath(file, hadoop))) {
      return reader.getFooter().getFileMetaData().getKeyValueMetaData();
    }
  }

  private static Object value(
      org.apache.parquet.example.data.Group group, int field, Column.Type type) {
    if (group.getFieldRepetitionCount(field) == 0) {
      return null;
    }
    return switch (type) {
      case STRING -> group.getString(field, 0);
      case INT -> group.getInteger(field, 0);
      case DOUBLE -> group.getDouble(field, 0);
      case IDS, UINT8, TOKEN_IDS, FLOAT32, UNSCALED, CELL -> group.getBinary(field, 0).getBytes();
    };
  }

  private static final class Builder extends ParquetWriter.Builder<Object[], Builder> {
    private final List<Column> columns;
    private final Map<String, String> metadata;

    Builder(
        org.apache.parquet.io.OutputFile file, List<Column> columns, Map<String, String> metadata) {
      super(file);
      this.columns = columns;
      this.metadata = metadata;
    }

    @Override
    protected Builder self() {
      return this;
    }

    @Override
    protected WriteSupport<Object[]> getWriteSupport(Configuration conf) {
      return new Support(columns, metadata);
    }
  }

  private static final class Support extends WriteSupport<Object[]> {
    private final List<Column> columns;
    private final Map<String, String> metadata;
    private RecordConsumer consumer;

    Support(List<Column> columns, Map<String, String> metadata) {
      this.columns = columns;
      this.metadata = metadata;
    }

    @Override
    public WriteContext init(Configuration configuration) {
      return new WriteContext(schema(columns), new HashMap<>(metadata));
    }

    @Override
    public void prepareForWrite(RecordConsumer recordConsumer) {
      this.consumer = recordConsumer;
    }

    @Override
    public void write(Object[] row) {
      consumer.startMessage();
      for (int i = 0; i < row.length; i++) {
        if (row[i] != null) {
          Column column = columns.get(i);
          consumer.startField(column.name(), i);
          switch (column.type()) {
            case STRING ->
                consumer.addBinary(
                    Binary.fromConstantByteArray(
                        ((String) row[i]).getBytes(StandardCharsets.UTF_8)));
            case INT -> consumer.addInteger((Integer) row[i]);
            case DOUBLE -> consumer.addDouble((Double) row[i]);
            case IDS, UINT8, TOKEN_IDS, FLOAT32, UNSCALED, CELL ->
                consumer.addBinary(Binary.fromConstantByteArray((byte[]) row[i]));
          }
          consumer.endField(column.name(), i);
        }
      }
      consumer.endMessage();
    }
  }
}

package io.stillhouse.jobs.storage;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.target.Column;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.ColumnReader;
import org.apache.parquet.column.ParquetProperties;
import org.apache.parquet.column.impl.ColumnReadStoreImpl;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.hadoop.CodecFactory;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.codec.ZstandardCodec;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.hadoop.util.HadoopOutputFile;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.ParquetDecodingException;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.Converter;
import org.apache.parquet.io.api.GroupConverter;
import org.apache.parquet.io.api.PrimitiveConverter;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;
import org.apache.parquet.schema.Types;
import org.jspecify.annotations.Nullable;

/**
 * Writes and reads rows of a {@link io.stillhouse.target.Targets} family with parquet-java alone,
 * which works inside tasks. A value is a String, Integer, Double or byte[] as its column's type
 * says, or null.
 */
public final class ParquetRows {
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
   * every row, since one cell may hold a megabyte. Tensors get no dictionary, because it made them
   * larger.
   */
  public static ParquetWriter<Object[]> writer(
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

  /**
   * Reads the named columns of every row, in the file's order, one column after another: Parquet's
   * own record assembly takes twice the time, and reads Hadoop's XML again for every file.
   */
  public static List<Object[]> read(InputFile file, List<Column> columns, Configuration hadoop)
      throws IOException {
    MessageType schema = schema(columns);
    CodecFactory codecs = new CodecFactory(hadoop, 0);
    ParquetReadOptions options =
        ParquetReadOptions.builder()
            .usePageChecksumVerification(true)
            .withCodecFactory(codecs)
            .build();
    List<Object[]> rows = new ArrayList<>();
    try (ParquetFileReader reader = ParquetFileReader.open(file, options)) {
      reader.setRequestedSchema(schema);
      String writer = reader.getFooter().getFileMetaData().getCreatedBy();
      for (PageReadStore group = reader.readNextRowGroup();
          group != null;
          group = reader.readNextRowGroup()) {
        int from = rows.size();
        for (long row = 0; row < group.getRowCount(); row++) {
          rows.add(new Object[columns.size()]);
        }
        ColumnReadStoreImpl store = new ColumnReadStoreImpl(group, new Values(), schema, writer);
        for (int i = 0; i < columns.size(); i++) {
          read(store, schema, columns.get(i), i, rows.subList(from, rows.size()));
        }
      }
    } catch (ParquetDecodingException e) {
      if (e.getCause() instanceof StillhouseException damage) {
        throw damage; // it names the damage and the fix
      }
      throw e;
    } finally {
      codecs.release();
    }
    return rows;
  }

  private static void read(
      ColumnReadStoreImpl store,
      MessageType schema,
      Column column,
      int field,
      List<Object[]> rows) {
    ColumnDescriptor descriptor = schema.getColumnDescription(new String[] {column.name()});
    ColumnReader reader = store.getColumnReader(descriptor);
    for (Object[] row : rows) {
      if (reader.getCurrentDefinitionLevel() == descriptor.getMaxDefinitionLevel()) {
        row[field] =
            switch (column.type()) {
              case STRING -> reader.getBinary().toStringUsingUTF8();
              case INT -> reader.getInteger();
              case DOUBLE -> reader.getDouble();
              case IDS, UINT8, TOKEN_IDS, FLOAT32, UNSCALED, CELL -> reader.getBinary().getBytes();
            };
      }
      reader.consume();
    }
  }

  /** Replaces Parquet's record assembly. */
  private static final class Values extends GroupConverter {
    private final PrimitiveConverter none = new PrimitiveConverter() {};

    @Override
    public Converter getConverter(int field) {
      return none;
    }

    @Override
    public void start() {}

    @Override
    public void end() {}
  }

  /** Reads the key-value metadata of a file. */
  public static Map<String, String> metadata(Path file, Configuration hadoop) throws IOException {
    try (ParquetFileReader reader =
        ParquetFileReader.open(HadoopInputFile.fromPath(file, hadoop))) {
      return reader.getFooter().getFileMetaData().getKeyValueMetaData();
    }
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
    private @Nullable RecordConsumer consumer; // set before the first row

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
      RecordConsumer consumer = Objects.requireNonNull(this.consumer);
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

package io.stillhouse.checkpoint.foreign;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import com.google.protobuf.UnknownFieldSet.Field;
import io.stillhouse.checkpoint.LazyTensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;
import org.iq80.leveldb.CompressionType;
import org.iq80.leveldb.Options;
import org.iq80.leveldb.table.BytewiseComparator;
import org.iq80.leveldb.table.TableBuilder;
import org.iq80.leveldb.util.Slice;

/** Writes TensorFlow variables as TensorFlow does. */
final class BundleWriter {
  private BundleWriter() {}

  /** Returns the index file. */
  static Path write(Path prefix, Map<String, LazyTensor> tensors) throws IOException {
    return write(prefix, tensors, new TreeMap<>());
  }

  /**
   * Writes index and data.
   *
   * @param entries receives the entries of the index, as protocol buffers
   */
  static Path write(Path prefix, Map<String, LazyTensor> tensors, Map<String, byte[]> entries)
      throws IOException {
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    entries.put("", message(1, 1).toByteArray());
    for (Map.Entry<String, LazyTensor> tensor : new TreeMap<>(tensors).entrySet()) {
      byte[] bytes = new byte[(int) (4 * tensor.getValue().shape().size())];
      tensor.getValue().bytes().read().get(bytes);
      UnknownFieldSet.Builder shape = UnknownFieldSet.newBuilder();
      Field.Builder dimensions = Field.newBuilder();
      for (long dimension : tensor.getValue().shape().getShape()) {
        dimensions.addLengthDelimited(message(1, dimension).toByteString());
      }
      shape.addField(2, dimensions.build());
      UnknownFieldSet entry =
          UnknownFieldSet.newBuilder()
              .addField(1, varint(1))
              .addField(2, delimited(shape.build().toByteString()))
              .addField(4, varint(data.size()))
              .addField(5, varint(bytes.length))
              .addField(
                  6,
                  Field.newBuilder()
                      .addFixed32(TensorBundle.masked(ByteBuffer.wrap(bytes)))
                      .build())
              .build();
      entries.put(tensor.getKey(), entry.toByteArray());
      data.write(bytes);
    }
    Files.write(
        prefix.resolveSibling(prefix.getFileName() + ".data-00000-of-00001"), data.toByteArray());
    return writeIndex(prefix, entries);
  }

  /** Returns an index file with the given entries. */
  static Path writeIndex(Path prefix, Map<String, byte[]> entries) throws IOException {
    Path index = prefix.resolveSibling(prefix.getFileName() + ".index");
    try (FileChannel channel =
        FileChannel.open(
            index,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      TableBuilder table =
          new TableBuilder(
              new Options().compressionType(CompressionType.NONE),
              channel,
              new BytewiseComparator());
      for (Map.Entry<String, byte[]> entry : new TreeMap<>(entries).entrySet()) {
        table.add(slice(entry.getKey()), new Slice(entry.getValue()));
      }
      table.finish();
    }
    return index;
  }

  static UnknownFieldSet message(int field, long value) {
    return UnknownFieldSet.newBuilder().addField(field, varint(value)).build();
  }

  static Field varint(long value) {
    return Field.newBuilder().addVarint(value).build();
  }

  static Field delimited(ByteString value) {
    return Field.newBuilder().addLengthDelimited(value).build();
  }

  private static Slice slice(String text) {
    return new Slice(text.getBytes(StandardCharsets.UTF_8));
  }
}

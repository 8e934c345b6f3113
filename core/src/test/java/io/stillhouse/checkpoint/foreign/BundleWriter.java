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
    Path index = prefix.resolveSibling(prefix.getFileName() + ".index");
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    try (FileChannel channel =
        FileChannel.open(index, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      TableBuilder table =
          new TableBuilder(
              new Options().compressionType(CompressionType.NONE),
              channel,
              new BytewiseComparator());
      table.add(slice(""), new Slice(message(1, 1).toByteArray()));
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
        table.add(slice(tensor.getKey()), new Slice(entry.toByteArray()));
        data.write(bytes);
      }
      table.finish();
    }
    Files.write(
        prefix.resolveSibling(prefix.getFileName() + ".data-00000-of-00001"), data.toByteArray());
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

package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.types.Shape;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Reads TensorFlow variables: a LevelDB table ({@code x.index}) that maps names to byte ranges of
 * raw tensor files ({@code x.data-00000-of-00001}). See
 * tensorflow/core/protobuf/tensor_bundle.proto.
 */
final class TensorBundle {
  private static final String SUFFIX = ".index";
  private static final int FLOAT = 1;
  private static final int MAX_DIMENSIONS = 8;
  private static final int MAX_SHARDS = 99_999;
  private static final int CRC_MASK = 0xa282ead8;

  private final Path index;
  private final int shards;

  private TensorBundle(Path index, int shards) {
    this.index = index;
    this.shards = shards;
  }

  /**
   * Reads the index. The bytes of a tensor are checked against their checksum when they are
   * fetched.
   *
   * @return the float32 tensors by TensorFlow's names
   */
  static Map<String, LazyTensor> read(Path index) throws IOException {
    Map<String, ByteString> entries = LevelDbTable.read(index, why -> damaged(index, why));
    ByteString headerBytes = entries.remove("");
    if (headerBytes == null) {
      throw damaged(index, "it has no header");
    }
    UnknownFieldSet header = message(index, headerBytes);
    if (number(header, 2) != 0) {
      throw Errors.invalid(
          format("'%s' is big-endian", index), "save the checkpoint on a little-endian machine");
    }
    TensorBundle bundle =
        new TensorBundle(index, (int) Math.min(Math.max(1, number(header, 1)), MAX_SHARDS));
    Map<String, LazyTensor> tensors = new LinkedHashMap<>();
    for (Map.Entry<String, ByteString> entry : entries.entrySet()) {
      UnknownFieldSet place = message(index, entry.getValue());
      if (number(place, 1) == FLOAT) {
        tensors.put(entry.getKey(), bundle.tensor(entry.getKey(), place));
      }
    }
    return tensors;
  }

  private LazyTensor tensor(String name, UnknownFieldSet place) throws IOException {
    Shape shape = shape(place);
    long offset = number(place, 4);
    long size = number(place, 5);
    Path data = data((int) number(place, 3));
    if (!Files.isRegularFile(data)) {
      throw Errors.noSuchPath("TensorFlow data file", data);
    }
    if (size != 4 * shape.size()
        || size > Integer.MAX_VALUE
        || offset < 0
        || offset > Files.size(data) - size) {
      throw damaged(
          data,
          format(
              "variable '%s' of shape %s spans bytes %d to %d of %d",
              Errors.shortened(name), shape, offset, offset + size, Files.size(data)));
    }
    UnknownFieldSet.Field sum = place.getField(6);
    return new LazyTensor(
        shape,
        () -> {
          try (FileChannel channel = FileChannel.open(data, StandardOpenOption.READ)) {
            ByteBuffer bytes =
                channel
                    .map(FileChannel.MapMode.READ_ONLY, offset, size)
                    .order(ByteOrder.LITTLE_ENDIAN);
            if (!sum.getFixed32List().isEmpty()
                && masked(bytes.duplicate()) != sum.getFixed32List().get(0)) {
              throw damaged(
                  data,
                  format("variable '%s' does not match its checksum", Errors.shortened(name)));
            }
            return bytes;
          }
        });
  }

  private Path data(int shard) {
    String name = index.getFileName().toString();
    return index.resolveSibling(
        format(
            "%s.data-%05d-of-%05d",
            name.substring(0, name.length() - SUFFIX.length()), shard, shards));
  }

  private Shape shape(UnknownFieldSet place) throws IOException {
    if (place.getField(2).getLengthDelimitedList().isEmpty()) {
      return new Shape();
    }
    UnknownFieldSet shape = message(index, place.getField(2).getLengthDelimitedList().get(0));
    List<ByteString> sizes = shape.getField(2).getLengthDelimitedList();
    if (sizes.size() > MAX_DIMENSIONS) {
      throw damaged(index, format("a variable has %d dimensions", sizes.size()));
    }
    long[] dimensions = new long[sizes.size()];
    for (int i = 0; i < dimensions.length; i++) {
      dimensions[i] = number(message(index, sizes.get(i)), 1);
      if (dimensions[i] < 0 || dimensions[i] > Integer.MAX_VALUE) {
        throw damaged(index, format("a variable has a dimension of %d", dimensions[i]));
      }
    }
    long size = 1;
    for (long dimension : dimensions) {
      size = Math.min(Integer.MAX_VALUE + 1L, size * Math.max(1, dimension));
    }
    if (size > Integer.MAX_VALUE) {
      throw damaged(index, "a variable has the shape " + Arrays.toString(dimensions));
    }
    return new Shape(dimensions);
  }

  /** Returns the masked CRC32C that LevelDB and TensorFlow store. */
  static int masked(ByteBuffer bytes) {
    CRC32C sum = new CRC32C();
    sum.update(bytes);
    return Integer.rotateRight((int) sum.getValue(), 15) + CRC_MASK;
  }

  private static UnknownFieldSet message(Path index, ByteString bytes) throws IOException {
    try {
      return UnknownFieldSet.parseFrom(bytes);
    } catch (InvalidProtocolBufferException e) {
      throw damaged(index, Errors.shortened(String.valueOf(e.getMessage())));
    }
  }

  private static long number(UnknownFieldSet message, int field) {
    return message.getField(field).getVarintList().isEmpty()
        ? 0
        : message.getField(field).getVarintList().get(0);
  }

  private static StillhouseException damaged(Path file, String why) {
    return Errors.invalid(
        format("'%s' is not a complete TensorFlow checkpoint: %s", file, why),
        "copy or download it again");
  }
}

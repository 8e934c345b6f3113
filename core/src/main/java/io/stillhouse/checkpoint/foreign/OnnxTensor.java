package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.types.Shape;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.UnknownFieldSet;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.ModelFiles;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A TensorProto of an ONNX file: its values are raw bytes, a list of numbers, or a part of another
 * file beside it. Field numbers are those of onnx/onnx.proto.
 *
 * @param file the ONNX file
 * @param name its name, for messages
 */
record OnnxTensor(Path file, String name, int type, Shape shape, UnknownFieldSet message) {
  private static final int FLOAT = 1;
  private static final int INT64 = 7;
  private static final long EXTERNAL = 1;

  /** Constants of shapes and axes are short; longer lists are weights. */
  private static final int MAX_INTEGERS = 1 << 16;

  static OnnxTensor of(Path file, UnknownFieldSet message) throws IOException {
    List<Long> dimensions = varints(message, 1, Integer.MAX_VALUE);
    List<Long> type = message.getField(2).getVarintList();
    String name = Errors.shortened(OnnxGraph.string(message, 8));
    long size = 1;
    try {
      for (long dimension : dimensions) {
        size = Math.multiplyExact(size, Math.max(1, dimension));
        if (dimension < 0) {
          throw new ArithmeticException();
        }
      }
    } catch (ArithmeticException e) {
      throw damaged(file, format("tensor '%s' has an impossible shape", name));
    }
    return new OnnxTensor(
        file,
        name,
        type.isEmpty() ? 0 : type.get(0).intValue(),
        new Shape(dimensions.stream().mapToLong(Long::longValue).toArray()),
        message);
  }

  boolean isFloat() {
    return type == FLOAT;
  }

  /**
   * Returns a float tensor whose values are read when they are written.
   *
   * @throws StillhouseException if the values are missing or not as many as the shape says
   */
  LazyTensor floats() throws IOException {
    long wanted = Float.BYTES * shape.size();
    if (isExternal()) {
      return new LazyTensor(shape, external(wanted));
    }
    long bytes = raw().isEmpty() ? Float.BYTES * (long) listed() : raw().size();
    if (bytes != wanted) {
      throw damaged(
          file,
          format("tensor '%s' of shape %s has %d bytes, not %d", name, shown(), bytes, wanted));
    }
    return new LazyTensor(shape, this::values);
  }

  /** Returns the values of a short int64 tensor, or an empty list for other tensors. */
  List<Long> integers() throws IOException {
    if (type != INT64 || isExternal()) {
      return List.of();
    }
    ByteString raw = raw();
    if (raw.isEmpty()) {
      return varints(message, 7, MAX_INTEGERS);
    }
    List<Long> integers = new ArrayList<>();
    ByteBuffer bytes = raw.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.remaining() >= Long.BYTES && integers.size() < MAX_INTEGERS) {
      integers.add(bytes.getLong());
    }
    return integers;
  }

  /** Returns the shape for a message. */
  private String shown() {
    return Errors.shortened(shape.toString());
  }

  private boolean isExternal() {
    return message.getField(14).getVarintList().contains(EXTERNAL);
  }

  private ByteString raw() {
    List<ByteString> raw = message.getField(9).getLengthDelimitedList();
    return raw.isEmpty() ? ByteString.EMPTY : raw.get(raw.size() - 1);
  }

  /** Returns how many values are listed in float_data, packed or not. */
  private int listed() {
    int count = message.getField(4).getFixed32List().size();
    for (ByteString packed : message.getField(4).getLengthDelimitedList()) {
      count += packed.size() / Float.BYTES;
    }
    return count;
  }

  /** Returns the values as little-endian bytes. */
  private ByteBuffer values() {
    if (!raw().isEmpty()) {
      return raw().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
    ByteBuffer values =
        ByteBuffer.allocate(Math.multiplyExact(Float.BYTES, listed()))
            .order(ByteOrder.LITTLE_ENDIAN);
    message.getField(4).getFixed32List().forEach(values::putInt);
    for (ByteString packed : message.getField(4).getLengthDelimitedList()) {
      values.put(packed.substring(0, packed.size() / Float.BYTES * Float.BYTES).toByteArray());
    }
    return values.flip();
  }

  private LazyTensor.Bytes external(long wanted) throws IOException {
    Map<String, String> place = new HashMap<>();
    for (ByteString entry : message.getField(13).getLengthDelimitedList()) {
      UnknownFieldSet pair = OnnxGraph.parse(entry);
      place.put(OnnxGraph.string(pair, 1), OnnxGraph.string(pair, 2));
    }
    Path data = ModelFiles.beside(file, place.getOrDefault("location", ""));
    if (!Files.isRegularFile(data)) {
      throw Errors.invalid(
          format("'%s' has its weights in '%s', which is missing", file, data.getFileName()),
          "copy it next to the .onnx file");
    }
    long offset = number(place, "offset", 0);
    long length = number(place, "length", wanted);
    if (length != wanted || offset < 0 || wanted > Files.size(data) - offset) {
      throw damaged(
          file,
          format(
              "tensor '%s' of shape %s is at bytes %d to %d of %d in '%s'",
              name, shown(), offset, offset + length, Files.size(data), data.getFileName()));
    }
    if (wanted > Integer.MAX_VALUE) {
      throw Errors.invalid(
          format("tensor '%s' of '%s' has %,d bytes", name, file, wanted), "use a smaller model");
    }
    return () -> {
      try (FileChannel channel = FileChannel.open(data, StandardOpenOption.READ)) {
        return channel
            .map(FileChannel.MapMode.READ_ONLY, offset, wanted)
            .order(ByteOrder.LITTLE_ENDIAN);
      }
    };
  }

  private long number(Map<String, String> place, String key, long orElse) {
    String text = place.get(key);
    if (text == null) {
      return orElse;
    }
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw damaged(file, format("tensor '%s' has %s '%s'", name, key, Errors.shortened(text)));
    }
  }

  /** Returns the numbers of a repeated field, packed or not, up to a maximum. */
  private static List<Long> varints(UnknownFieldSet message, int field, int most)
      throws IOException {
    List<Long> numbers = new ArrayList<>(message.getField(field).getVarintList());
    for (ByteString packed : message.getField(field).getLengthDelimitedList()) {
      CodedInputStream in = packed.newCodedInput();
      while (!in.isAtEnd() && numbers.size() < most) {
        numbers.add(in.readInt64());
      }
    }
    return numbers;
  }

  static StillhouseException damaged(Path file, String why) {
    return Errors.invalid(
        format("'%s' is not a complete ONNX file: %s", file, why), "copy or export it again");
  }
}

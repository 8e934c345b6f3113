package io.stillhouse.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * A safetensors file: an 8-byte header length, a JSON header, then raw little-endian tensors.
 *
 * <p>DJL also reads this format, but only whole files of less than 2 GB, and at a tenth of the
 * speed. This class memory-maps each tensor when it is read.
 */
public final class SafeTensors {
  private static final long MAX_HEADER = 100L << 20;
  private static final String METADATA = "__metadata__";

  private final Path file;
  private final long dataStart;
  private final Map<String, Entry> entries;
  private final Map<String, String> metadata;

  /** A tensor's dtype, shape and byte range, counted from the end of the header. */
  private record Entry(String dtype, Shape shape, long begin, long end) {}

  private SafeTensors(
      Path file, long dataStart, Map<String, Entry> entries, Map<String, String> metadata) {
    this.file = file;
    this.dataStart = dataStart;
    this.entries = entries;
    this.metadata = metadata;
  }

  /**
   * Reads the header.
   *
   * @throws io.stillhouse.error.StillhouseException if the file is truncated or is not a
   *     safetensors file
   */
  public static SafeTensors open(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw Errors.noSuchPath("safetensors file", file);
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      readFully(channel, length, 0);
      long header = size < 8 ? -1 : length.getLong(0);
      if (header < 2 || header > Math.min(MAX_HEADER, size - 8)) {
        throw damaged(
            file, "a header of %d bytes does not fit in its %d bytes".formatted(header, size));
      }
      ByteBuffer json = ByteBuffer.allocate((int) header);
      readFully(channel, json, 8);
      return parse(file, new String(json.array(), StandardCharsets.UTF_8), 8 + header, size);
    }
  }

  private static SafeTensors parse(Path file, String json, long dataStart, long size) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    Map<String, String> metadata = new LinkedHashMap<>();
    try {
      for (Map.Entry<String, JsonElement> member :
          JsonParser.parseString(json).getAsJsonObject().entrySet()) {
        JsonObject value = member.getValue().getAsJsonObject();
        if (member.getKey().equals(METADATA)) {
          value.entrySet().forEach(e -> metadata.put(e.getKey(), e.getValue().getAsString()));
          continue;
        }
        JsonArray offsets = value.getAsJsonArray("data_offsets");
        JsonArray dimensions = value.getAsJsonArray("shape");
        long[] shape = new long[dimensions.size()];
        for (int i = 0; i < shape.length; i++) {
          shape[i] = dimensions.get(i).getAsLong();
        }
        entries.put(
            member.getKey(),
            new Entry(
                value.get("dtype").getAsString(),
                new Shape(shape),
                offsets.get(0).getAsLong(),
                offsets.get(1).getAsLong()));
      }
    } catch (RuntimeException e) {
      // Gson throws different unchecked exceptions for different malformed inputs.
      throw damaged(file, "its header is not the JSON of a safetensors file");
    }
    for (Map.Entry<String, Entry> named : entries.entrySet()) {
      Entry entry = named.getValue();
      if (entry.begin() < 0 || entry.end() < entry.begin()) {
        throw damaged(
            file,
            "tensor '%s' spans bytes %d to %d"
                .formatted(named.getKey(), entry.begin(), entry.end()));
      }
      if (entry.end() > size - dataStart) {
        throw damaged(
            file,
            "tensor '%s' ends at byte %d of %d"
                .formatted(named.getKey(), dataStart + entry.end(), size));
      }
      if (width(entry.dtype()) > 0
          && entry.end() - entry.begin() != entry.shape().size() * width(entry.dtype())) {
        throw damaged(
            file,
            "tensor '%s' of shape %s and dtype %s has %d bytes, not %d"
                .formatted(
                    named.getKey(),
                    entry.shape(),
                    entry.dtype(),
                    entry.end() - entry.begin(),
                    entry.shape().size() * width(entry.dtype())));
      }
    }
    return new SafeTensors(
        file, dataStart, Collections.unmodifiableMap(entries), Map.copyOf(metadata));
  }

  /** Returns the names of the tensors, in the order of the header. */
  public Set<String> names() {
    return entries.keySet();
  }

  /** Returns the free-form metadata of the header. */
  public Map<String, String> metadata() {
    return metadata;
  }

  Path file() {
    return file;
  }

  /** Returns the shape of a tensor. */
  public Shape shape(String name) {
    return entry(name).shape();
  }

  /**
   * Reads a tensor as float32; float16, bfloat16 and float64 are converted.
   *
   * @param manager owns the result
   */
  public NDArray read(String name, NDManager manager) {
    // Copy from Java's memory into libtorch's, which is aligned. The summation order of a matrix
    // product depends on alignment, so without the copy two processes could compute different last
    // digits.
    try (NDArray inJavaMemory = manager.create(bytes(name), shape(name), DataType.FLOAT32)) {
      return inJavaMemory.duplicate();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read '%s' of %s".formatted(name, file), e);
    }
  }

  /** Reads the values of a tensor like {@link #read}, but without the engine. */
  public FloatBuffer floats(String name) throws IOException {
    return bytes(name).asFloatBuffer();
  }

  private ByteBuffer bytes(String name) throws IOException {
    Entry entry = entry(name);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer mapped =
          channel
              .map(
                  FileChannel.MapMode.READ_ONLY,
                  dataStart + entry.begin(),
                  entry.end() - entry.begin())
              .order(ByteOrder.LITTLE_ENDIAN);
      return switch (entry.dtype()) {
        case "F32" -> copy(mapped);
        case "F16" -> convert(mapped, 2, b -> Float16.toFloat(b.getShort()));
        // The engine's conversion of bfloat16 crashes the process.
        case "BF16" -> convert(mapped, 2, b -> Float.intBitsToFloat(b.getShort() << 16));
        case "F64" -> convert(mapped, 8, b -> (float) b.getDouble());
        default ->
            throw Errors.invalid(
                "tensor '%s' of '%s' has dtype %s".formatted(name, file, entry.dtype()),
                "weights must be F32, F16, BF16 or F64");
      };
    }
  }

  /**
   * Writes float32 tensors to a file in the order of the map, one at a time.
   *
   * @param metadata free-form strings of the header
   */
  public static void write(Path file, Map<String, NDArray> tensors, Map<String, String> metadata)
      throws IOException {
    Map<String, LazyTensor> lazy = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> lazy.put(name, LazyTensor.of(tensor)));
    writeLazily(file, lazy, metadata);
  }

  /** Writes lazy tensors like {@link #write}, fetching one at a time. */
  public static void writeLazily(
      Path file, Map<String, LazyTensor> tensors, Map<String, String> metadata) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      writeFully(channel, header(tensors, metadata));
      for (Map.Entry<String, LazyTensor> tensor : tensors.entrySet()) {
        ByteBuffer bytes = tensor.getValue().bytes().read();
        if (bytes.remaining() != 4 * tensor.getValue().shape().size()) {
          throw new IllegalStateException(
              "%s of shape %s has %d bytes"
                  .formatted(tensor.getKey(), tensor.getValue().shape(), bytes.remaining()));
        }
        writeFully(channel, bytes);
      }
      channel.force(true);
    }
  }

  private static ByteBuffer header(Map<String, LazyTensor> tensors, Map<String, String> metadata) {
    JsonObject header = new JsonObject();
    if (!metadata.isEmpty()) {
      JsonObject strings = new JsonObject();
      metadata.forEach(strings::addProperty);
      header.add(METADATA, strings);
    }
    long offset = 0;
    for (Map.Entry<String, LazyTensor> tensor : tensors.entrySet()) {
      JsonArray shape = new JsonArray();
      for (long dimension : tensor.getValue().shape().getShape()) {
        shape.add(dimension);
      }
      long end = offset + 4 * tensor.getValue().shape().size();
      JsonArray offsets = new JsonArray();
      offsets.add(offset);
      offsets.add(end);
      offset = end;
      JsonObject entry = new JsonObject();
      entry.addProperty("dtype", "F32");
      entry.add("shape", shape);
      entry.add("data_offsets", offsets);
      header.add(tensor.getKey(), entry);
    }
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    int padded = (json.length + 7) / 8 * 8;
    ByteBuffer start = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    start.putLong(padded).put(json);
    while (start.hasRemaining()) {
      start.put((byte) ' ');
    }
    return start.flip();
  }

  private Entry entry(String name) {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw new IllegalStateException("%s has no tensor '%s'".formatted(file, name));
    }
    return entry;
  }

  /** Copies out of the mapping, so that no tensor refers to unmapped memory. */
  private static ByteBuffer copy(ByteBuffer mapped) {
    ByteBuffer copy = ByteBuffer.allocateDirect(mapped.remaining()).order(ByteOrder.LITTLE_ENDIAN);
    copy.put(mapped);
    return copy.flip();
  }

  private static ByteBuffer convert(ByteBuffer stored, int width, Next next) {
    int size = stored.remaining() / width;
    ByteBuffer floats =
        ByteBuffer.allocateDirect(Math.multiplyExact(4, size)).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < size; i++) {
      floats.putFloat(next.read(stored));
    }
    return floats.flip();
  }

  /** Reads one number from a buffer. */
  private interface Next {
    float read(ByteBuffer from);
  }

  private static int width(String dtype) {
    return switch (dtype) {
      case "F32", "I32" -> 4;
      case "F16", "BF16" -> 2;
      case "F64", "I64" -> 8;
      default -> 0;
    };
  }

  private static void readFully(FileChannel channel, ByteBuffer into, long position)
      throws IOException {
    while (into.hasRemaining()) {
      int n = channel.read(into, position + into.position());
      if (n < 0) {
        return;
      }
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private static StillhouseException damaged(Path file, String why) {
    return Errors.invalid(
        "'%s' is not a complete safetensors file: %s".formatted(file, why),
        "copy or download it again");
  }
}

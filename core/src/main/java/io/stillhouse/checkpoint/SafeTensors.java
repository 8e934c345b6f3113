package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.EOFException;
import java.io.IOException;
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
 * speed. This class memory-maps each large tensor when it is read.
 */
public final class SafeTensors implements TensorFile {
  private static final long MAX_HEADER = 100L << 20;
  private static final int SMALL = 1 << 16;
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
      if (size < Long.BYTES) {
        throw damaged(
            file, format("it has %d bytes, and the length of its header alone has 8", size));
      }
      ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      readFully(channel, length, 0);
      long header = length.getLong(0);
      if (header < 2 || header > Math.min(MAX_HEADER, size - Long.BYTES)) {
        throw damaged(
            file,
            format(
                "a header of %s bytes does not fit in its %d bytes",
                Long.toUnsignedString(header), size));
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
                StoredFloats.shape(shape),
                offsets.get(0).getAsLong(),
                offsets.get(1).getAsLong()));
      }
    } catch (RuntimeException e) {
      // Gson throws different unchecked exceptions for different malformed inputs.
      throw damaged(file, "its header is not the JSON of a safetensors file");
    }
    entries.forEach((name, entry) -> require(file, name, entry, dataStart, size));
    return new SafeTensors(
        file, dataStart, Collections.unmodifiableMap(entries), Map.copyOf(metadata));
  }

  /** Requires that the bytes of a tensor are in the file, and as many as its shape has numbers. */
  private static void require(Path file, String name, Entry entry, long dataStart, long size) {
    String tensor = format("tensor '%s'", Errors.shortened(name));
    if (entry.begin() < 0 || entry.end() < entry.begin()) {
      throw damaged(file, format("%s spans bytes %d to %d", tensor, entry.begin(), entry.end()));
    }
    if (entry.end() > size - dataStart) {
      throw damaged(
          file, format("%s ends at byte %d of %d", tensor, dataStart + entry.end(), size));
    }
    long bytes = entry.end() - entry.begin();
    int width = StoredFloats.width(entry.dtype());
    if (width > 0 && bytes != width * entry.shape().size()) {
      throw damaged(
          file,
          format(
              "%s of shape %s and dtype %s has %d bytes, not %d",
              tensor,
              Errors.shortened(entry.shape().toString()),
              entry.dtype(),
              bytes,
              width * entry.shape().size()));
    }
  }

  /** Returns the names of the tensors, in the order of the header. */
  @Override
  public Set<String> names() {
    return entries.keySet();
  }

  /** Returns the free-form metadata of the header. */
  public Map<String, String> metadata() {
    return metadata;
  }

  @Override
  public Path file() {
    return file;
  }

  @Override
  public Shape shape(String name) {
    return entry(name).shape();
  }

  /** Reads the values of a tensor like {@link #read}, but without the engine. */
  public FloatBuffer floats(String name) throws IOException {
    return float32(name).asFloatBuffer();
  }

  @Override
  public void requireReadable(String name) {
    StoredFloats.requireReadable(file, name, entry(name).dtype(), shape(name));
  }

  @Override
  public ByteBuffer float32(String name) throws IOException {
    requireReadable(name);
    Entry entry = entry(name);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return StoredFloats.toFloat32(
          entry.dtype(), stored(channel, dataStart + entry.begin(), entry.end() - entry.begin()));
    }
  }

  /** Maps large tensors into memory; for small ones that takes longer than to read them. */
  private static ByteBuffer stored(FileChannel channel, long start, long bytes) throws IOException {
    if (bytes > SMALL) {
      return channel.map(FileChannel.MapMode.READ_ONLY, start, bytes);
    }
    ByteBuffer read = ByteBuffer.allocate((int) bytes);
    readFully(channel, read, start);
    return read.flip();
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
              format(
                  "%s of shape %s has %d bytes",
                  tensor.getKey(), tensor.getValue().shape(), bytes.remaining()));
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
      throw new IllegalStateException(format("%s has no tensor '%s'", file, name));
    }
    return entry;
  }

  private static void readFully(FileChannel channel, ByteBuffer into, long position)
      throws IOException {
    while (into.hasRemaining()) {
      int n = channel.read(into, position + into.position());
      if (n < 0) {
        throw new EOFException("the file became shorter while it was read");
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
        format("'%s' is not a complete safetensors file: %s", file, why),
        "copy or download it again");
  }
}

package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * Reads all entries of a LevelDB table (doc/table_format.md of LevelDB), as TensorFlow writes it:
 * without compression. A reader of our own, because the library for Java allocates what a length in
 * a damaged file asks for.
 */
final class LevelDbTable {
  private static final int FOOTER = 48;
  private static final long MAGIC = 0xdb4775248b80fb57L;

  /** An index of BERT-large with its optimizer has 60 kB and 1,200 entries. */
  private static final int MAX_BYTES = 16 << 20;

  private static final int MAX_ENTRIES = 100_000;
  private static final int MAX_KEY = 1024;

  private final ByteBuffer table;
  private final Function<String, RuntimeException> damaged;

  private LevelDbTable(ByteBuffer table, Function<String, RuntimeException> damaged) {
    this.table = table;
    this.damaged = damaged;
  }

  /**
   * Returns the values by key.
   *
   * @param damaged creates the exception for a damaged table from the reason
   */
  static Map<String, ByteString> read(Path file, Function<String, RuntimeException> damaged)
      throws IOException {
    if (Files.size(file) < FOOTER || Files.size(file) > MAX_BYTES) {
      throw damaged.apply(format("an index of %,d bytes", Files.size(file)));
    }
    ByteBuffer table = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    try {
      return new LevelDbTable(table, damaged).entries();
    } catch (BufferUnderflowException e) {
      throw damaged.apply("its index ends within an entry");
    }
  }

  private Map<String, ByteString> entries() {
    ByteBuffer footer = table.slice(table.limit() - FOOTER, FOOTER).order(ByteOrder.LITTLE_ENDIAN);
    if (footer.getLong(FOOTER - Long.BYTES) != MAGIC) {
      throw damaged.apply("its index is not a LevelDB table");
    }
    varint(footer); // the place of the meta index
    varint(footer);
    Map<String, ByteString> blocks = entries(block(footer), new LinkedHashMap<>());
    Map<String, ByteString> all = new LinkedHashMap<>();
    blocks.values().forEach(handle -> entries(block(handle.asReadOnlyByteBuffer()), all));
    return all;
  }

  /** Returns the block at a handle, the position and the size. */
  private ByteBuffer block(ByteBuffer handle) {
    long start = varint(handle);
    long size = varint(handle);
    if (start < 0
        || size < Integer.BYTES
        || start > table.limit()
        || size > table.limit() - start - 5) {
      throw damaged.apply(format("a block of its index is at %d to %d", start, start + size));
    }
    int end = (int) (start + size);
    if (TensorBundle.masked(table.slice((int) start, (int) size + 1)) != table.getInt(end + 1)) {
      throw damaged.apply("a block of its index does not match its checksum");
    }
    if (table.get(end) != 0) {
      throw damaged.apply("its index is compressed");
    }
    return table.slice((int) start, (int) size).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Adds the entries of a block. A key repeats the beginning of the one before. */
  private Map<String, ByteString> entries(ByteBuffer block, Map<String, ByteString> all) {
    long restarts = block.getInt(block.limit() - Integer.BYTES) & 0xffffffffL;
    long end = block.limit() - Integer.BYTES * (restarts + 1);
    if (end < 0) {
      throw damaged.apply("a block of its index is damaged");
    }
    block.limit((int) end);
    byte[] key = {};
    while (block.hasRemaining()) {
      long shared = varint(block);
      long rest = varint(block);
      long length = varint(block);
      boolean fits = rest >= 0 && length >= 0 && rest <= MAX_KEY && length <= block.remaining();
      if (shared < 0 || shared > key.length || !fits || shared + rest > MAX_KEY) {
        throw damaged.apply("an entry of its index is damaged");
      }
      key = Arrays.copyOf(key, (int) (shared + rest));
      block.get(key, (int) shared, (int) rest);
      byte[] value = new byte[(int) length];
      block.get(value);
      all.put(new String(key, StandardCharsets.UTF_8), ByteString.copyFrom(value));
      if (all.size() > MAX_ENTRIES) {
        throw damaged.apply(format("its index has more than %,d entries", MAX_ENTRIES));
      }
    }
    return all;
  }

  private static long varint(ByteBuffer bytes) {
    long value = 0;
    for (int shift = 0; shift < Long.SIZE; shift += 7) {
      byte next = bytes.get();
      value |= (long) (next & 0x7f) << shift;
      if (next >= 0) {
        return value;
      }
    }
    return -1;
  }
}

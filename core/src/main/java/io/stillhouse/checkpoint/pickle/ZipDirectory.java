package io.stillhouse.checkpoint.pickle;

import static io.stillhouse.error.Text.format;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * The places of the uncompressed entries of a zip. {@code java.util.zip} does not tell where an
 * entry's bytes are, which is needed to map weights into memory.
 */
final class ZipDirectory {
  /** The first four bytes of a zip, and of each entry, as a little-endian integer. */
  static final int MAGIC = 0x04034b50;

  private static final int ENTRY = 0x02014b50;
  private static final int END = 0x06054b50;
  private static final int END64 = 0x06064b50;
  private static final int LOCATOR64 = 0x07064b50;
  private static final int END_BYTES = 22;
  private static final int MAX_COMMENT = 0xffff;
  private static final int MAX_DIRECTORY = 16 << 20;
  private static final long IN_EXTRA = 0xffffffffL;

  private final FileChannel channel;
  private final Map<String, Entry> entries;

  private record Entry(int method, long packed, long size, long header) {}

  /**
   * The bytes of an entry.
   *
   * @param start their position in the file
   */
  record Stored(long start, long size) {}

  private ZipDirectory(FileChannel channel, Map<String, Entry> entries) {
    this.channel = channel;
    this.entries = entries;
  }

  static ZipDirectory read(FileChannel channel) throws IOException, PickleException {
    long size = channel.size();
    int tail = (int) Math.min(size, END_BYTES + MAX_COMMENT);
    ByteBuffer end = PytorchFile.read(channel, size - tail, tail);
    int at = tail - END_BYTES;
    while (at >= 0 && end.getInt(at) != END) {
      at--;
    }
    if (at < 0) {
      throw PickleException.damaged("the directory of its zip is missing");
    }
    long bytes = end.getInt(at + 12) & IN_EXTRA;
    long start = end.getInt(at + 16) & IN_EXTRA;
    if (at >= 20 && end.getInt(at - 20) == LOCATOR64) {
      ByteBuffer end64 = PytorchFile.read(channel, end.getLong(at - 20 + 8), 56);
      if (end64.getInt(0) != END64) {
        throw PickleException.damaged("the directory of its zip is damaged");
      }
      bytes = end64.getLong(40);
      start = end64.getLong(48);
    }
    if (bytes < 0 || bytes > MAX_DIRECTORY) {
      throw PickleException.damaged(format("the directory of its zip has %d bytes", bytes));
    }
    try {
      return new ZipDirectory(channel, entries(PytorchFile.read(channel, start, (int) bytes)));
    } catch (BufferUnderflowException | IndexOutOfBoundsException | IllegalArgumentException e) {
      throw PickleException.damaged("the directory of its zip is damaged");
    }
  }

  private static Map<String, Entry> entries(ByteBuffer directory) throws PickleException {
    Map<String, Entry> entries = new LinkedHashMap<>();
    while (directory.remaining() >= 46) {
      int at = directory.position();
      if (directory.getInt(at) != ENTRY) {
        throw PickleException.damaged("the directory of its zip is damaged");
      }
      int name = directory.getShort(at + 28) & 0xffff;
      int extra = directory.getShort(at + 30) & 0xffff;
      int comment = directory.getShort(at + 32) & 0xffff;
      byte[] text = new byte[name];
      directory.position(at + 46).get(text);
      long[] sizes = {
        directory.getInt(at + 24) & IN_EXTRA,
        directory.getInt(at + 20) & IN_EXTRA,
        directory.getInt(at + 42) & IN_EXTRA
      };
      zip64(directory, at + 46 + name, extra, sizes);
      entries.put(
          new String(text, StandardCharsets.UTF_8),
          new Entry(directory.getShort(at + 10), sizes[1], sizes[0], sizes[2]));
      directory.position(at + 46 + name + extra + comment);
    }
    return entries;
  }

  /** Replaces the sizes and the position that do not fit into 32 bits. */
  private static void zip64(ByteBuffer directory, int start, int length, long[] sizes) {
    int at = start;
    while (at + 4 <= start + length) {
      int bytes = directory.getShort(at + 2) & 0xffff;
      if (directory.getShort(at) == 1) {
        int next = at + 4;
        for (int i = 0; i < sizes.length; i++) {
          if (sizes[i] == IN_EXTRA) {
            sizes[i] = directory.getLong(next);
            next += Long.BYTES;
          }
        }
      }
      at += 4 + bytes;
    }
  }

  Set<String> names() {
    return entries.keySet();
  }

  /** Returns the place of an entry, which must be complete and not compressed. */
  Stored stored(String name) throws IOException, PickleException {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw PickleException.damaged(format("its zip has no entry '%s'", name));
    }
    if (entry.method() != 0 || entry.size() != entry.packed()) {
      throw PickleException.damaged(format("entry '%s' of its zip is compressed", name));
    }
    ByteBuffer header = PytorchFile.read(channel, entry.header(), 30);
    if (header.getInt(0) != MAGIC) {
      throw PickleException.damaged(format("entry '%s' of its zip is damaged", name));
    }
    long start =
        entry.header() + 30 + (header.getShort(26) & 0xffff) + (header.getShort(28) & 0xffff);
    if (entry.size() < 0 || entry.size() > channel.size() - start) {
      throw PickleException.damaged(format("entry '%s' of its zip is cut off", name));
    }
    return new Stored(start, entry.size());
  }
}

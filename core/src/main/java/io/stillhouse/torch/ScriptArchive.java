package io.stillhouse.torch;

import static io.stillhouse.error.Text.format;

import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Writes a TorchScript archive: a zip whose uncompressed entries contain a pickled module, the
 * source text of its classes, and the tensors. As in PyTorch's own archives, the bytes of each
 * entry begin at a multiple of 64, so that they can be mapped into memory.
 */
public final class ScriptArchive implements Closeable {
  /** Any time after 1980-01-01, for which Java would write an additional field. */
  private static final LocalDateTime WRITTEN = LocalDateTime.of(1981, 1, 1, 0, 0);

  /** The file format since PyTorch 1.12, which later versions read too. */
  private static final String VERSION = "10\n";

  private static final int ALIGNMENT = 64;
  private static final int LOCAL_HEADER = 30;
  private static final int EXTRA_HEADER = 4;

  /** The id of PyTorch's extra field, which zip readers skip. */
  private static final String PADDING = "FB";

  private final String name;
  private final ZipOutputStream zip;
  private long written;

  /**
   * @param name name of the folder that contains all entries
   * @param stream closed by {@link #close}
   */
  public ScriptArchive(String name, OutputStream stream) {
    this.name = name;
    this.zip = new ZipOutputStream(stream);
  }

  /** Writes the pickle of the module. */
  public void module(byte[] pickle) throws IOException {
    store("data.pkl", ByteBuffer.wrap(pickle));
  }

  /**
   * Writes the source text of a Python module.
   *
   * @param path path of the Python module, such as {@code __torch__/products}
   */
  public void source(String path, String text) throws IOException {
    store(format("code/%s.py", path), ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
  }

  /**
   * Writes the values of a tensor.
   *
   * @param key the key in the persistent id of the module's pickle
   * @param values all bytes up to the limit
   */
  public void storage(String key, ByteBuffer values) throws IOException {
    store("data/" + key, values);
  }

  /** Writes the remaining entries and closes the stream. */
  @Override
  public void close() throws IOException {
    store("constants.pkl", ByteBuffer.wrap("\u0080\u0002).".getBytes(StandardCharsets.ISO_8859_1)));
    store("byteorder", ByteBuffer.wrap("little".getBytes(StandardCharsets.US_ASCII)));
    store("version", ByteBuffer.wrap(VERSION.getBytes(StandardCharsets.US_ASCII)));
    zip.close();
  }

  private void store(String path, ByteBuffer bytes) throws IOException {
    ZipEntry entry = new ZipEntry(name + "/" + path);
    CRC32 crc = new CRC32();
    crc.update(bytes.duplicate());
    entry.setTimeLocal(WRITTEN); // the same model gives the same file
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(bytes.remaining());
    entry.setCrc(crc.getValue());
    int header = LOCAL_HEADER + entry.getName().getBytes(StandardCharsets.UTF_8).length;
    int padding = ALIGNMENT - (int) ((written + header + EXTRA_HEADER) % ALIGNMENT);
    entry.setExtra(padding(padding % ALIGNMENT));
    written += header + EXTRA_HEADER + padding % ALIGNMENT + bytes.remaining();
    zip.putNextEntry(entry);
    ByteBuffer rest = bytes.duplicate();
    byte[] part = new byte[Math.min(1 << 16, rest.remaining())];
    while (rest.hasRemaining()) {
      int count = Math.min(part.length, rest.remaining());
      rest.get(part, 0, count);
      zip.write(part, 0, count);
    }
    zip.closeEntry();
  }

  private static byte[] padding(int size) {
    byte[] extra = new byte[EXTRA_HEADER + size];
    extra[0] = (byte) PADDING.charAt(0);
    extra[1] = (byte) PADDING.charAt(1);
    extra[2] = (byte) size;
    return extra;
  }
}

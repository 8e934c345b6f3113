package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Storage;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.metadata.ColumnChunkMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.io.DelegatingSeekableInputStream;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.SeekableInputStream;
import org.jspecify.annotations.Nullable;

/**
 * A Parquet file of a cache whose bytes are compared with the manifest's hashes as they are read. A
 * reader of three columns verifies those three and the footer in the same pass.
 */
public final class CheckedFile implements InputFile {
  static final byte[] MAGIC = "PAR1".getBytes(StandardCharsets.US_ASCII);

  private final Storage storage;
  private final Path path;
  private final CacheFile file;
  private byte @Nullable [] footer;

  public CheckedFile(Storage storage, Path cache, CacheFile file) {
    this.storage = storage;
    this.path = new Path(cache, file.path());
    this.file = file;
  }

  /** Returns the hashes of the column chunks and the footer of a finished file. */
  public static CacheFile.Hashes hash(Storage storage, Path path) throws IOException {
    List<ColumnChunkMetaData> chunks = new ArrayList<>();
    try (ParquetFileReader reader =
        ParquetFileReader.open(HadoopInputFile.fromPath(path, storage.hadoop()))) {
      for (BlockMetaData group : reader.getFooter().getBlocks()) {
        chunks.addAll(group.getColumns());
      }
    }
    chunks.sort(Comparator.comparingLong(ColumnChunkMetaData::getStartingPos));
    List<CacheFile.Chunk> hashed = new ArrayList<>();
    try (FSDataInputStream in = storage.fileSystem(path).open(path)) {
      byte[] magic = in.readNBytes(MAGIC.length);
      if (!Arrays.equals(magic, MAGIC)) {
        throw new IOException(format("%s does not start with Parquet's magic bytes", path));
      }
      for (ColumnChunkMetaData chunk : chunks) {
        if (in.getPos() != chunk.getStartingPos()) {
          throw new IOException(format("%s has bytes between its column chunks", path));
        }
        hashed.add(
            new CacheFile.Chunk(
                chunk.getPath().toDotString(),
                chunk.getStartingPos(),
                chunk.getTotalSize(),
                digest(in, chunk.getTotalSize())));
      }
      return new CacheFile.Hashes(hashed, digest(in, Long.MAX_VALUE));
    }
  }

  /**
   * Reads and verifies the whole file.
   *
   * @throws StillhouseException naming the part that differs from the manifest
   */
  public void verify() throws IOException {
    try (FSDataInputStream in = open()) {
      requireMagic(in.readNBytes(MAGIC.length));
      for (CacheFile.Chunk chunk : file.hashes().chunks()) {
        require(chunk.column(), chunk.sha256(), digest(in, chunk.bytes()));
      }
      require("footer", file.hashes().footer(), digest(in, Long.MAX_VALUE));
    } catch (FileNotFoundException e) {
      throw damaged("it is missing");
    }
  }

  @Override
  public long getLength() throws IOException {
    long length;
    try {
      length = storage.bytes(path);
    } catch (FileNotFoundException e) {
      throw damaged("it is missing");
    }
    if (length != file.size().bytes()) {
      throw damaged(format("it has %,d bytes, not %,d", length, file.size().bytes()));
    }
    return length;
  }

  @Override
  public SeekableInputStream newStream() throws IOException {
    FSDataInputStream in = open();
    byte[] bytes = footer;
    if (bytes == null) {
      requireMagic(in.readNBytes(MAGIC.length));
      in.seek(file.hashes().footerStart());
      bytes = in.readAllBytes();
      MessageDigest digest = Storage.digest();
      require("footer", file.hashes().footer(), HexFormat.of().formatHex(digest.digest(bytes)));
      footer = bytes;
      in.seek(0);
    }
    Checked checked = new Checked(in, bytes);
    return new DelegatingSeekableInputStream(checked) {
      @Override
      public long getPos() {
        return checked.position;
      }

      @Override
      public void seek(long position) throws IOException {
        checked.seek(position);
      }
    };
  }

  @Override
  public String toString() {
    return path.toString();
  }

  private FSDataInputStream open() throws IOException {
    getLength();
    return storage.fileSystem(path).open(path);
  }

  private void requireMagic(byte[] bytes) {
    if (!Arrays.equals(bytes, MAGIC)) {
      throw damaged("it does not start with Parquet's magic bytes");
    }
  }

  private void require(String part, String expected, String found) {
    if (!found.equals(expected)) {
      throw damaged(format("the bytes of its %s differ from those that were written", part));
    }
  }

  private StillhouseException damaged(String how) {
    return Errors.invalid(
        format("'%s' (shard %d, %s) is damaged: %s", path, file.shard(), file.family(), how),
        "run verify on the cache, then cache again, which recomputes only this file");
  }

  private static String digest(InputStream in, long bytes) throws IOException {
    MessageDigest digest = Storage.digest();
    byte[] buffer = new byte[1 << 16];
    long left = bytes;
    while (left > 0) {
      int read = in.read(buffer, 0, (int) Math.min(left, buffer.length));
      if (read < 0) {
        break;
      }
      digest.update(buffer, 0, read);
      left -= read;
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Serves the footer from memory, and column chunks from the file, each hashed as it is read. */
  private final class Checked extends InputStream {
    private final FSDataInputStream in;
    private final byte[] end;
    private final MessageDigest digest = Storage.digest();
    private long position;
    private int chunk;

    Checked(FSDataInputStream in, byte[] footer) {
      this.in = in;
      this.end = footer;
    }

    void seek(long to) throws IOException {
      if (to == position) {
        return;
      }
      position = to;
      if (to < file.hashes().footerStart()) {
        chunk = 0;
        while (chunk < chunks().size() && chunks().get(chunk).offset() != to) {
          chunk++;
        }
        if (chunk == chunks().size()) {
          throw new IllegalStateException(
              format("%s is read from inside a column chunk, which cannot be verified", path));
        }
        digest.reset();
        in.seek(to);
      }
    }

    private List<CacheFile.Chunk> chunks() {
      return file.hashes().chunks();
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      long start = file.hashes().footerStart();
      if (position >= start) {
        int at = (int) (position - start);
        int n = Math.min(length, end.length - at);
        if (n <= 0) {
          return length == 0 ? 0 : -1;
        }
        System.arraycopy(end, at, into, offset, n);
        position += n;
        return n;
      }
      CacheFile.Chunk current = chunks().get(chunk);
      int n = in.read(into, offset, (int) Math.min(length, current.end() - position));
      if (n < 0) {
        throw damaged(format("it ends inside %s", current.column()));
      }
      digest.update(into, offset, n);
      position += n;
      if (position == current.end()) {
        require(current.column(), current.sha256(), HexFormat.of().formatHex(digest.digest()));
        chunk++;
      }
      return n;
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}

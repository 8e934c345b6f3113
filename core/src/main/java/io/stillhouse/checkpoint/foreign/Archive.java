package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipInputStream;
import org.jspecify.annotations.Nullable;

/** A jar or zip file, which may contain another zip. */
final class Archive {
  private static final byte[] MAGIC = {'P', 'K', 3, 4};
  private static final int BUFFER = 1 << 16;
  private static final String UNPACK = "unpack it yourself and import the directory";

  private final Path file;
  private final Path directory;
  private final Limits limits;
  private final Counted packed;
  private long unpacked;
  private int entries;

  /**
   * What an archive may unpack to. Weights are hardly compressible, so a high ratio is a sign of a
   * file that is made to fill disks.
   *
   * @param bytes bytes of all files
   * @param entries number of files and directories
   * @param nesting depth of zips within zips
   * @param ratio bytes of files for each byte of the archive, after the first {@code freeBytes}
   */
  record Limits(long bytes, int entries, int nesting, int ratio, long freeBytes) {
    static final Limits MODEL = new Limits(32L << 30, 20_000, 3, 100, 256L << 20);
  }

  private Archive(Path file, Counted packed, Path directory, Limits limits) {
    this.file = file;
    this.packed = packed;
    this.directory = directory;
    this.limits = limits;
  }

  static boolean isZip(Path file) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      return startsAsZip(in);
    }
  }

  /**
   * Unpacks all entries except classes. The entries of a nested zip go to the same directory.
   *
   * @throws StillhouseException if the archive is damaged, exceeds a limit, has an entry outside of
   *     the directory, or one whose name the file system cannot have
   */
  static void unpack(Path file, Path directory, Limits limits) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      Counted packed = new Counted(in);
      new Archive(file, packed, directory, limits)
          .unpack(new BufferedInputStream(packed, BUFFER), 1);
    } catch (ZipException | EOFException | IllegalArgumentException e) {
      throw Errors.invalid(
          format(
              "'%s' is not a complete zip file (%s)",
              file, Errors.shortened(String.valueOf(e.getMessage()))),
          "copy or download it again",
          e);
    }
  }

  private void unpack(InputStream in, int depth) throws IOException {
    if (depth > limits.nesting()) {
      throw beyond("zips nested deeper", limits.nesting());
    }
    // Do not close it: the stream belongs to the caller and may be an entry of an outer zip.
    ZipInputStream zip = new ZipInputStream(in);
    for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
      if (++entries > limits.entries()) {
        throw beyond("more entries", limits.entries());
      }
      Path target = target(entry.getName());
      BufferedInputStream content = new BufferedInputStream(zip, BUFFER);
      if (entry.isDirectory() || entry.getName().endsWith(".class")) {
        copy(content, null);
      } else if (startsAsZip(content)) {
        unpack(content, depth + 1);
        copy(content, null); // what follows the last entry
      } else {
        copy(content, target);
      }
    }
  }

  private Path target(String name) {
    try {
      Path relative = Path.of(name).normalize();
      if (!relative.isAbsolute() && !relative.startsWith("..")) {
        return directory.resolve(relative);
      }
    } catch (InvalidPathException e) {
      throw Errors.invalid(
          format(
              "'%s' has an entry '%s', whose name has a character that file names cannot have in"
                  + " the locale of this system",
              file, Errors.shortened(name)),
          "set LC_ALL=C.UTF-8, or unpack it yourself and import the directory",
          e);
    }
    throw Errors.invalid(
        format("'%s' has an entry outside its root: '%s'", file, Errors.shortened(name)),
        "do not use this file");
  }

  /** Copies an entry to a file, or reads it without keeping it. */
  private void copy(InputStream content, @Nullable Path target) throws IOException {
    try (OutputStream out = target == null ? OutputStream.nullOutputStream() : created(target)) {
      byte[] buffer = new byte[BUFFER];
      for (int n = content.read(buffer); n >= 0; n = content.read(buffer)) {
        unpacked += n;
        if (unpacked > limits.bytes()) {
          throw beyond("more bytes", limits.bytes());
        }
        if (unpacked > limits.freeBytes() && unpacked / limits.ratio() > packed.bytes) {
          throw beyond("more bytes for each compressed byte", limits.ratio());
        }
        out.write(buffer, 0, n);
      }
    }
  }

  /** Creates the file of an entry. */
  private OutputStream created(Path target) throws IOException {
    try {
      Path parent = target.getParent();
      Files.createDirectories(parent == null ? directory : parent);
      return Files.newOutputStream(target, StandardOpenOption.CREATE_NEW);
    } catch (FileSystemException e) {
      throw uncreatable(target, e);
    }
  }

  private StillhouseException uncreatable(Path target, FileSystemException error) {
    if (Files.exists(target)) {
      return twice(target);
    }
    for (Path parent = target.getParent(); parent != null; parent = parent.getParent()) {
      if (Files.isRegularFile(parent)) {
        return twice(parent); // once as a file, and once as a directory
      }
    }
    return Errors.invalid(
        format(
            "'%s' has an entry '%s', which cannot be unpacked here (%s)",
            file,
            Errors.shortened(directory.relativize(target).toString()),
            ForeignFiles.reason(error)),
        UNPACK,
        error);
  }

  private StillhouseException twice(Path target) {
    return Errors.invalid(
        format(
            "'%s' has two entries '%s'",
            file, Errors.shortened(directory.relativize(target).toString())),
        UNPACK);
  }

  private StillhouseException beyond(String what, long limit) {
    return Errors.invalid(
        format("'%s' has %s than a model's archive may have (%,d)", file, what, limit),
        "if it is a model, unpack it yourself and import the directory");
  }

  private static boolean startsAsZip(InputStream in) throws IOException {
    in.mark(MAGIC.length);
    byte[] start = in.readNBytes(MAGIC.length);
    in.reset();
    return Arrays.equals(start, MAGIC);
  }

  /** Counts the bytes that were read. */
  private static final class Counted extends FilterInputStream {
    private long bytes;

    Counted(InputStream in) {
      super(in);
    }

    @Override
    public int read() throws IOException {
      int value = super.read();
      bytes += value < 0 ? 0 : 1;
      return value;
    }

    @Override
    public int read(byte[] into, int from, int count) throws IOException {
      int n = super.read(into, from, count);
      bytes += Math.max(0, n);
      return n;
    }
  }
}

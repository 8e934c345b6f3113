package io.stillhouse.checkpoint.foreign;

import io.stillhouse.error.Errors;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipInputStream;

/** A jar or zip file, which may contain another zip. */
final class Archive {
  private static final byte[] MAGIC = {'P', 'K', 3, 4};

  private Archive() {}

  static boolean isZip(Path file) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      return startsAsZip(in);
    }
  }

  /** Unpacks all entries except classes. The entries of a nested zip go to the same directory. */
  static void unpack(Path file, Path directory) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
      unpack(file, in, directory);
    } catch (ZipException | java.io.EOFException e) {
      throw Errors.invalid(
          "'%s' is not a complete zip file (%s)".formatted(file, e.getMessage()),
          "copy or download it again",
          e);
    }
  }

  private static void unpack(Path file, InputStream in, Path directory) throws IOException {
    // Do not close it: the stream belongs to the caller and may be an entry of an outer zip.
    ZipInputStream zip = new ZipInputStream(in);
    for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
      Path target = directory.resolve(entry.getName()).normalize();
      if (!target.startsWith(directory)) {
        throw Errors.invalid(
            "'%s' has an entry outside its root: '%s'".formatted(file, entry.getName()),
            "do not use this file");
      }
      if (entry.isDirectory() || entry.getName().endsWith(".class")) {
        continue;
      }
      BufferedInputStream content = new BufferedInputStream(zip, 1 << 16);
      if (startsAsZip(content)) {
        unpack(file, content, directory);
      } else {
        Path parent = target.getParent();
        Files.createDirectories(parent == null ? directory : parent);
        Files.copy(content, target);
      }
    }
  }

  private static boolean startsAsZip(InputStream in) throws IOException {
    in.mark(MAGIC.length);
    byte[] start = in.readNBytes(MAGIC.length);
    in.reset();
    return Arrays.equals(start, MAGIC);
  }
}

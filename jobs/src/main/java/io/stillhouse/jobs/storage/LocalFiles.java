package io.stillhouse.jobs.storage;

import static io.stillhouse.error.Text.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.apache.hadoop.fs.FileAlreadyExistsException;

/** Operations on local files that Hadoop's local file system does not make exclusive or durable. */
final class LocalFiles {
  private LocalFiles() {}

  /** Writes a file that does not exist yet, and forces it to disk. */
  static void create(Path file, byte[] bytes) throws IOException {
    OpenOption[] options = {StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE};
    try (FileChannel channel = FileChannel.open(file, options)) {
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
      channel.force(true);
    }
  }

  /**
   * Creates a hard link to a file. Unlike a rename on POSIX, this never replaces another file.
   *
   * @param bytes content of the file
   * @throws FileAlreadyExistsException if the name is taken
   */
  static void link(Path file, Path name, byte[] bytes) throws IOException {
    try {
      Files.createLink(name, file);
    } catch (java.nio.file.FileAlreadyExistsException e) {
      throw taken(name, e);
    } catch (UnsupportedOperationException | FileSystemException e) {
      // FAT and some network mounts have no links. Creating a file is exclusive too, but a killed
      // process may leave it truncated.
      try {
        create(name, bytes);
      } catch (java.nio.file.FileAlreadyExistsException taken) {
        throw taken(name, taken);
      }
    }
    if (name.getParent() != null) {
      try (FileChannel directory = FileChannel.open(name.getParent())) {
        directory.force(true); // otherwise a power failure may lose the name
      }
    }
  }

  /**
   * Renames a directory, or a file to a name that does not exist.
   *
   * @throws FileAlreadyExistsException if the name is taken
   */
  static void move(Path from, Path to) throws IOException {
    try {
      replace(from, to);
    } catch (FileSystemException e) {
      if (Files.exists(to)) {
        throw taken(to, e);
      }
      throw e;
    }
  }

  /** Renames a file, atomically replacing an existing one. */
  static void replace(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
  }

  private static FileAlreadyExistsException taken(Path name, IOException cause) {
    FileAlreadyExistsException taken =
        new FileAlreadyExistsException(format("'%s' already exists", name));
    taken.initCause(cause);
    return taken;
  }
}

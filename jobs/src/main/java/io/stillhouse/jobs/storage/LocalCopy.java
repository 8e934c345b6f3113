package io.stillhouse.jobs.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.fs.FileUtil;
import org.apache.spark.util.ShutdownHookManager;
import org.jspecify.annotations.Nullable;

/**
 * A file or directory of any file system on this machine's disk.
 *
 * @param path the copy, or the original if that is local
 * @param temporary the directory that contains the copy; null if the original is local
 */
public record LocalCopy(Path path, @Nullable Path temporary) implements AutoCloseable {

  /** Copies a file or directory, unless it is local. The copy is deleted when the process ends. */
  public static LocalCopy of(Storage storage, org.apache.hadoop.fs.Path path) throws IOException {
    if (storage.isLocal(path)) {
      return new LocalCopy(Path.of(storage.qualify(path.toString()).toUri().getPath()), null);
    }
    Path directory = Files.createTempDirectory("stillhouse");
    ShutdownHookManager.registerShutdownDeleteDir(directory.toFile());
    Path copy = directory.resolve(path.getName());
    FileUtil.copy(storage.fileSystem(path), path, copy.toFile(), false, storage.hadoop());
    return new LocalCopy(copy, directory);
  }

  /** Deletes the copy; the original stays. */
  @Override
  public void close() throws IOException {
    if (temporary != null) {
      FileUtils.deleteDirectory(temporary.toFile());
      ShutdownHookManager.removeShutdownDeleteDir(temporary.toFile());
    }
  }
}

package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/** The directory next to a cache in which one run plans it or restores lost inputs. */
public final class Staging {
  private final Storage storage;
  private final Path cache;
  private final Path directory;

  public Staging(Storage storage, Path cache) {
    this.storage = storage;
    this.cache = cache;
    this.directory =
        new Path(cache.getParent(), prefix(cache) + UUID.randomUUID().toString().substring(0, 8));
  }

  private static String prefix(Path cache) {
    return "_" + cache.getName() + "-planning-";
  }

  public Path directory() {
    return directory;
  }

  /**
   * Renames the directory to the cache's name, unless another run was faster, and removes the
   * directories of other attempts: those of killed runs, or of runs that can no longer succeed.
   *
   * @throws FileAlreadyExistsException if there is a cache already
   */
  public void commit() throws IOException {
    storage.renameExclusively(directory, cache);
    for (FileStatus status : leftovers(storage, cache)) {
      storage.fileSystem(cache).delete(status.getPath(), true);
    }
  }

  /** Returns the staging directories next to a cache. */
  static List<FileStatus> leftovers(Storage storage, Path cache) throws IOException {
    Pattern name = Pattern.compile(Pattern.quote(prefix(cache)) + "[0-9a-f]{8}");
    return Arrays.stream(storage.fileSystem(cache).listStatus(cache.getParent()))
        .filter(status -> name.matcher(status.getPath().getName()).matches())
        .toList();
  }

  /** Throws a clear error if planning failed because another run was faster. */
  public void requireNoCacheYet(Exception failure) throws IOException {
    if (storage.exists(new Path(cache, CachePlan.FILE))) {
      throw Errors.invalid(
          format("another run has planned cache.path '%s' since this one started", cache),
          "run only one cache command at a time on a cache",
          failure);
    }
  }

  public void delete() throws IOException {
    storage.fileSystem(directory).delete(directory, true);
  }
}

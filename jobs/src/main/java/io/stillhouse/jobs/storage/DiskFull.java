package io.stillhouse.jobs.storage;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** Explains failures whose cause is a full disk or an exceeded quota. */
public final class DiskFull {
  private static final Pattern QUOTA =
      Pattern.compile("The (DiskSpace|NameSpace) quota .* is exceeded: [^\n]*");
  private static final Pattern FULL =
      Pattern.compile("No space left on device|Disk quota exceeded");

  private DiskFull() {}

  /**
   * Throws a clear error if a full disk has caused a failure, and returns otherwise. Searches the
   * messages, because Spark sometimes reports an executor's exception only in the message of its
   * own.
   */
  public static void explain(Exception failure, Storage storage, Path cache) throws IOException {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      String text = String.valueOf(cause.getMessage());
      Matcher quota = QUOTA.matcher(text);
      if (quota.find()) {
        throw Errors.invalid(
            format("cache.path '%s' has no space left: %s", cache, quota.group()),
            "raise the quota or free some space (a file takes up a whole block while it is being"
                + " written) and run the same command again, which computes only what is missing",
            failure);
      }
      if (FULL.matcher(text).find()) {
        Path directory = cache;
        while (!storage.exists(directory)) {
          directory = directory.getParent();
        }
        FileSystem fs = storage.fileSystem(directory);
        throw Errors.invalid(
            format(
                "a disk is full: the disk of cache.path '%s' has %,d KB left of %,d KB (or the full"
                    + " disk is that of spark.local.dir)",
                cache,
                usableBytes(fs, directory) >> 10,
                fs.getStatus(directory).getCapacity() >> 10),
            "free some space and run the same command again, which computes only what is missing",
            failure);
      }
    }
  }

  /**
   * Returns a message for a failure of any command whose cause is a full local disk; empty for
   * other failures. Unlike {@link #explain}, it does not know which disk is full.
   */
  public static Optional<String> message(Throwable failure) {
    return Stream.iterate(failure, Objects::nonNull, Throwable::getCause)
        .map(cause -> FULL.matcher(String.valueOf(cause.getMessage())))
        .filter(Matcher::find)
        .findFirst()
        .map(
            full ->
                format(
                    "a disk is full (%s); free some space on the disks of the recipe's paths, of"
                        + " spark.local.dir and of java.io.tmpdir, and run the same command again,"
                        + " which continues where it stopped",
                    full.group()));
  }

  /**
   * Returns the bytes that can still be written. Hadoop would include those that a local disk
   * reserves for root.
   */
  private static long usableBytes(FileSystem fs, Path directory) throws IOException {
    return fs.getUri().getScheme().equals("file")
        ? Files.getFileStore(java.nio.file.Path.of(directory.toUri().getPath())).getUsableSpace()
        : fs.getStatus(directory).getRemaining();
  }
}

package io.stillhouse.jobs.cache;

import io.stillhouse.error.Errors;
import java.io.IOException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FsStatus;
import org.apache.hadoop.fs.Path;

/** Says which disk is full, or which quota spent, where that made a job fail. */
final class DiskFull {
  private static final Pattern QUOTA =
      Pattern.compile("The (DiskSpace|NameSpace) quota .* is exceeded: [^\n]*");

  private DiskFull() {}

  /**
   * Throws the mistake of a full disk where that is what lies under a failure, and returns
   * otherwise. Spark hands on what an executor met in the text of its own exception, at times only
   * there.
   */
  static void explain(Exception failure, Storage storage, Path cache) throws IOException {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      String text = String.valueOf(cause.getMessage());
      Matcher quota = QUOTA.matcher(text);
      if (quota.find()) {
        throw Errors.invalid(
            "cache.path '%s' has no room: %s".formatted(cache, quota.group()),
            "raise the quota or free some space (a file counts with a whole block while it is written) "
                + "and run the same command again: it computes only what is missing",
            failure);
      }
      if (text.contains("No space left on device") || text.contains("Disk quota exceeded")) {
        Path there = cache;
        while (!storage.exists(there)) {
          there = there.getParent();
        }
        FsStatus disk = storage.fileSystem(there).getStatus(there);
        throw Errors.invalid(
            "a disk is full: that of cache.path '%s' has %,d KB left of %,d KB (or else it is that of Spark's spark.local.dir)"
                .formatted(cache, disk.getRemaining() >> 10, disk.getCapacity() >> 10),
            "free some space and run the same command again: it computes only what is missing",
            failure);
      }
    }
  }
}

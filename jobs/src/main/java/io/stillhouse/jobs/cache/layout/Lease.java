package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.spark.Watch;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file that a command renews while it writes to a cache. It keeps {@code vacuum} from deleting
 * files that are still being written. It does not exclude a second writer; the manifest does.
 */
public final class Lease implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Lease.class);

  private static final long RENEWED_SECONDS = 10;
  private static final long DEAD_SECONDS = 60;
  private static final String PREFIX = "_running-";

  private final Storage storage;
  private final Path file;
  private final Watch watch;
  private long renewed;

  private Lease(Storage storage, Path file) {
    this.storage = storage;
    this.file = file;
    this.watch = new Watch(this::renew);
  }

  /** Takes a lease and renews it until {@link #close}. */
  public static Lease acquire(Storage storage, Path cache) {
    String id = UUID.randomUUID().toString().substring(0, 8);
    Lease lease = new Lease(storage, new Path(new Path(cache, ManifestLog.DIRECTORY), PREFIX + id));
    lease.renew();
    return lease;
  }

  /**
   * Requires that no command is writing to a cache.
   *
   * @throws io.stillhouse.error.StillhouseException if a lease was renewed recently
   */
  public static void requireNone(Storage storage, Path cache) throws IOException {
    long seconds = seconds(storage, new Path(cache, ManifestLog.DIRECTORY), "");
    if (seconds < DEAD_SECONDS) {
      throw Errors.invalid(
          format(
              "a command is writing to cache '%s': it renewed its lease %d s ago", cache, seconds),
          format("wait until it ends, or %d s if it was killed", DEAD_SECONDS - seconds));
    }
  }

  /** Returns whether no other command holds a lease or was recently killed while holding one. */
  public boolean isOnlyHolder() throws IOException {
    return seconds(storage, file.getParent(), file.getName()) >= DEAD_SECONDS;
  }

  /** Returns whether a command holds a lease or was recently killed while holding one. */
  public static boolean isHeld(Storage storage, Path cache) throws IOException {
    return seconds(storage, new Path(cache, ManifestLog.DIRECTORY), "") < DEAD_SECONDS;
  }

  /** Returns the seconds since any lease was renewed, except for the one named {@code but}. */
  private static long seconds(Storage storage, Path directory, String excluded) throws IOException {
    long last =
        Arrays.stream(storage.fileSystem(directory).listStatus(directory))
            .filter(status -> status.getPath().getName().startsWith(PREFIX))
            .filter(status -> !status.getPath().getName().equals(excluded))
            .mapToLong(FileStatus::getModificationTime)
            .max()
            .orElse(0);
    return TimeUnit.MILLISECONDS.toSeconds(System.currentTimeMillis() - last);
  }

  private synchronized void renew() {
    long now = System.nanoTime();
    if (renewed != 0 && now - renewed < TimeUnit.SECONDS.toNanos(RENEWED_SECONDS)) {
      return;
    }
    try (OutputStream out = storage.fileSystem(file).create(file, true)) {
      out.write('\n');
      renewed = now;
    } catch (IOException e) {
      LOG.warn(
          "Cannot renew the lease '{}' ({}); vacuum may delete files that this command writes if"
              + " this lasts for {} s",
          file,
          e.toString(),
          DEAD_SECONDS);
      renewed = 0; // retried in a second; a failure of the file system itself surfaces elsewhere
    }
  }

  @Override
  public void close() throws IOException {
    watch.close();
    storage.fileSystem(file).delete(file, false);
  }
}

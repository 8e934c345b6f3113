package io.stillhouse.jobs.cache.layout;

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

/**
 * A sign of life of a command that writes to a cache: a file of its own whose time is renewed. It
 * keeps {@code collect} from files that are still being written. It does not keep two writers
 * apart: the manifest does.
 */
public final class Lease implements AutoCloseable {
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

  public static Lease take(Storage storage, Path cache) {
    String id = UUID.randomUUID().toString().substring(0, 8);
    Lease lease = new Lease(storage, new Path(new Path(cache, ManifestLog.DIRECTORY), PREFIX + id));
    lease.renew();
    return lease;
  }

  /**
   * Requires that nobody writes.
   *
   * @throws io.stillhouse.error.StillhouseException if the last sign of life is young
   */
  public static void requireNone(Storage storage, Path cache) throws IOException {
    long seconds = seconds(storage, new Path(cache, ManifestLog.DIRECTORY), "");
    if (seconds < DEAD_SECONDS) {
      throw Errors.invalid(
          "a command writes to cache '%s': its last sign of life is %d s old"
              .formatted(cache, seconds),
          "wait until it ends, or, if it was killed, %d s".formatted(DEAD_SECONDS - seconds));
    }
  }

  /** Returns whether nobody else writes, or did so when killed not long ago. */
  public boolean isTheOnlyOne() throws IOException {
    return seconds(storage, file.getParent(), file.getName()) >= DEAD_SECONDS;
  }

  /** Returns whether somebody writes to a cache, or did when killed not long ago. */
  public static boolean isHeld(Storage storage, Path cache) throws IOException {
    return seconds(storage, new Path(cache, ManifestLog.DIRECTORY), "") < DEAD_SECONDS;
  }

  /** Returns the age of the last sign of life of all commands but one. */
  private static long seconds(Storage storage, Path directory, String but) throws IOException {
    long last =
        Arrays.stream(storage.fileSystem(directory).listStatus(directory))
            .filter(status -> status.getPath().getName().startsWith(PREFIX))
            .filter(status -> !status.getPath().getName().equals(but))
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
      // Not the place to fail: whatever ails the file system shows where targets are written.
      renewed = 0;
    }
  }

  @Override
  public void close() throws IOException {
    watch.close();
    storage.fileSystem(file).delete(file, false);
  }
}

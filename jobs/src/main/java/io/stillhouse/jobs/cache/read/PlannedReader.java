package io.stillhouse.jobs.cache.read;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.Lease;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Example;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * Reads the rows of a cache as its plan counts them, so that the number of training steps is known
 * before the teacher has computed anything. A row that turns out to be invalid is replaced by the
 * previous row of its shard. In a cache with a window, waits for each shard.
 */
public final class PlannedReader implements KeyedRows {
  private static final long POLL_MILLIS = 200;

  private final CacheReader reader;

  /** Wraps a reader. */
  public PlannedReader(CacheReader reader) {
    this.reader = reader;
  }

  @Override
  public List<Integer> shardRows() {
    return reader.plan().shards().stream().map(shard -> shard.rows() - shard.invalid()).toList();
  }

  @Override
  public List<Example> read(int shard) throws IOException {
    await(shard);
    return replaceInvalid(reader.readRowsWithTokens(shard), shard);
  }

  @Override
  public List<RowKey> keys(int shard, RowKey.With with) throws IOException {
    List<@Nullable RowKey> rows = new ArrayList<>();
    for (RowKey row : reader.allKeys(shard, with)) {
      if (row.hasTokens()) {
        rows.add(row.hasTargets() ? row : null);
      }
    }
    return replaceInvalid(rows, shard);
  }

  /**
   * Replaces rows without targets by the previous row or, at the beginning, by the first row with
   * targets.
   *
   * @param rows null where a row has no targets
   */
  static <T> List<T> replaceInvalid(List<@Nullable T> rows, int shard) {
    @Nullable T before = rows.stream().filter(Objects::nonNull).findFirst().orElse(null);
    List<T> filled = new ArrayList<>(rows.size());
    for (@Nullable T row : rows) {
      before = row == null ? before : row;
      if (before == null) {
        throw Errors.invalid(
            format("no row of shard %d has targets", shard),
            "correct the corpus or the teacher, and build another cache");
      }
      filled.add(before);
    }
    return filled;
  }

  /** Waits until the cache's driver has finished a shard. */
  public void await(int shard) throws IOException {
    while (unfinished(shard, shard + 1).isPresent()) {
      try {
        Thread.sleep(POLL_MILLIS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new InterruptedIOException(format("interrupted while waiting for shard %d", shard));
      }
    }
  }

  /** Returns the first of some shards that the cache's driver has not finished yet. */
  public OptionalInt unfinished(int from, int to) throws IOException {
    if (reader.plan().window() == null) {
      return OptionalInt.empty();
    }
    if (!IntStream.range(from, to).allMatch(reader::isFinished)) {
      reader.follow();
    }
    return IntStream.range(from, to).filter(shard -> !reader.isFinished(shard)).findFirst();
  }

  /** Returns whether a command is writing to a cache or was recently killed while writing. */
  public static boolean isBeingWritten(Storage storage, Path cache) throws IOException {
    return Lease.isHeld(storage, cache);
  }
}

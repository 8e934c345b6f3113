package io.stillhouse.jobs.cache.layout;

import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * What a run of {@code cache} did; its sealed JSON is {@code cache.json} beside the targets.
 *
 * @param bytes of all targets and inputs, those of dropped shards too
 * @param droppedShards whose targets were let go as every student had seen them
 */
public record CacheRecord(
    String cache,
    long rows,
    long tokens,
    int shards,
    long blankRows,
    long invalidRows,
    int computedShards,
    List<String> columns,
    int manifestEntries,
    long bytes,
    double bytesPerToken,
    Seconds seconds,
    double tokensPerSecond,
    double rowsPerSecond,
    int droppedShards) {
  /** Its file name. */
  public static final String FILE = "cache.json";

  /**
   * Where a run's time went. Tokens and rows per second are those of {@code computing}: the
   * teacher's pass with all that is written.
   *
   * @param planning tokenising, and all else before the first task
   * @param loading the longest that a task waited for libtorch and the teacher's weights
   */
  public record Seconds(double planning, double loading, double computing) {}

  /** Returns the record of the last finished run, or null if that is damaged or missing. */
  public static @Nullable CacheRecord last(Storage storage, Path cache, String teacher)
      throws IOException {
    Path file = file(cache, teacher);
    String text = storage.exists(file) ? Seal.open(storage.readText(file)) : null;
    return text == null ? null : Storage.JSON.fromJson(text, CacheRecord.class);
  }

  /** Writes this as the record of the last finished run. */
  public void write(Storage storage, Path cache, String teacher) throws IOException {
    storage.writeText(file(cache, teacher), Seal.seal(Storage.JSON.toJson(this)));
  }

  private static Path file(Path cache, String teacher) {
    return new Path(TeacherFolder.of(cache, teacher), FILE);
  }
}

package io.stillhouse.jobs.cache.layout;

import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The result of a {@code cache} command. Its sealed JSON is {@code cache.json} next to the targets.
 *
 * @param cache path of the cache
 * @param corpus numbers of rows, tokens and shards in the whole cache
 * @param columns names of the target columns that every shard has
 * @param manifestEntries number of entries of the manifest
 * @param size size of all data files, including those of dropped shards
 * @param run what this command computed
 * @param droppedShards number of shards whose targets have been dropped so far
 */
public record CacheRecord(
    String cache,
    Corpus corpus,
    List<String> columns,
    int manifestEntries,
    Size size,
    Run run,
    int droppedShards) {
  public static final String FILE = "cache.json";

  /**
   * The size of the corpus.
   *
   * @param rows number of rows, including those without tokens
   * @param blankRows number of blank lines of prose, which are not rows
   * @param invalidRows number of rows without targets of this teacher
   */
  public record Corpus(long rows, long tokens, int shards, long blankRows, long invalidRows) {}

  /** The size of the data files. */
  public record Size(long bytes, double bytesPerToken) {}

  /**
   * What one command computed.
   *
   * @param computedShards number of shards
   * @param tokensPerSecond during {@link Seconds#computing}
   * @param rowsPerSecond during {@link Seconds#computing}
   */
  public record Run(
      int computedShards, Seconds seconds, double tokensPerSecond, double rowsPerSecond) {}

  /**
   * The seconds that a command spent in each phase.
   *
   * @param planning everything before the first task, including tokenization
   * @param loading the longest time that a task waited for libtorch and the teacher's weights
   * @param computing the teacher's forward pass and the writing of targets
   */
  public record Seconds(double planning, double loading, double computing) {}

  public long rows() {
    return corpus.rows();
  }

  public long tokens() {
    return corpus.tokens();
  }

  public int shards() {
    return corpus.shards();
  }

  public long blankRows() {
    return corpus.blankRows();
  }

  public long invalidRows() {
    return corpus.invalidRows();
  }

  public int computedShards() {
    return run.computedShards();
  }

  public Seconds seconds() {
    return run.seconds();
  }

  public double tokensPerSecond() {
    return run.tokensPerSecond();
  }

  public double rowsPerSecond() {
    return run.rowsPerSecond();
  }

  public long bytes() {
    return size.bytes();
  }

  public double bytesPerToken() {
    return size.bytesPerToken();
  }

  /** Returns the record of the last finished command, or null if it is damaged or missing. */
  public static @Nullable CacheRecord last(Storage storage, Path cache, String teacher)
      throws IOException {
    Path file = file(cache, teacher);
    String text = storage.exists(file) ? Seal.open(storage.readText(file)) : null;
    return text == null ? null : Storage.JSON.fromJson(text, CacheRecord.class);
  }

  /** Writes this as the record of the last finished command. */
  public void write(Storage storage, Path cache, String teacher) throws IOException {
    storage.writeText(file(cache, teacher), Seal.seal(Storage.json(this)));
  }

  private static Path file(Path cache, String teacher) {
    return new Path(TeacherFolder.of(cache, teacher), FILE);
  }
}

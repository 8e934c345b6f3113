package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * Text that was read at one time, and the shards that it was divided into. The first part of a
 * cache is in its plan. A later part is stored in a manifest entry and again in a file, so that
 * each copy can restore the other.
 *
 * @param shardTokens maximum number of tokens per shard when this part was written
 * @param shards shards in order of their numbers, which continue those of the previous part
 * @param corpus how much was read
 * @param corpusFiles the files of text, in the order in which they were read
 * @param inputs the files of the inputs family, one for each shard
 */
public record PlanPart(
    long shardTokens,
    List<Shard> shards,
    Counts corpus,
    List<CorpusFile> corpusFiles,
    List<CacheFile> inputs) {

  /**
   * One shard.
   *
   * @param shard its number
   * @param rows number of rows, of which {@code invalid} have no tokens
   * @param keys SHA-256 of the rows' keys in order, each followed by a line feed
   */
  public record Shard(int shard, int rows, int invalid, long tokens, String keys)
      implements Serializable {}

  /**
   * How much text was read.
   *
   * @param rows number of rows, including those without tokens
   * @param blankRows number of blank lines of prose, which are not rows
   * @param invalid number of rows without tokens, by status
   */
  public record Counts(long rows, long tokens, long blankRows, Map<String, Long> invalid) {
    /** Returns the number of rows without tokens. */
    public long invalidRows() {
      return invalid.values().stream().mapToLong(Long::longValue).sum();
    }

    Counts plus(Counts other) {
      Map<String, Long> both = new TreeMap<>(invalid);
      other.invalid.forEach((reason, count) -> both.merge(reason, count, Long::sum));
      return new Counts(
          rows + other.rows, tokens + other.tokens, blankRows + other.blankRows, both);
    }
  }

  /** Returns the number of the first shard. */
  public int firstShard() {
    return shards.get(0).shard();
  }

  /** Returns the file that holds the copy of a later part. */
  public Path file(Path cache) {
    return new Path(cache, format("plan-%06d.json", firstShard()));
  }

  /** Returns this part followed by the next one. */
  PlanPart plus(PlanPart next) {
    return new PlanPart(
        shardTokens,
        concatenated(shards, next.shards),
        corpus.plus(next.corpus),
        concatenated(corpusFiles, next.corpusFiles),
        concatenated(inputs, next.inputs));
  }

  private static <T> List<T> concatenated(List<T> one, List<T> other) {
    List<T> both = new ArrayList<>(one);
    both.addAll(other);
    return List.copyOf(both);
  }

  /** Reads a sealed part, or returns null if it is damaged. */
  static @Nullable PlanPart parse(String text) {
    return Seal.read(text, PlanPart.class);
  }

  /** Returns the sealed JSON. */
  public String toJson() {
    return Seal.seal(Storage.JSON.toJson(this));
  }
}

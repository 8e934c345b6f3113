package io.stillhouse.jobs.cache.layout;

import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * Text that was read in one go, and the shards it was cut into: a cache's plan begins as one part
 * and grows by further ones. A later part lies in a manifest entry, and once more in a file of its
 * own, so that either restores the other.
 *
 * @param shardTokens the most tokens that a shard was to have
 * @param shards in order of their numbers, which go on from those of the part before
 * @param corpus what was read
 * @param corpusFiles the files of text
 * @param inputs the files of the inputs family
 */
public record Part(
    long shardTokens,
    List<Plan.Shard> shards,
    Plan.Read corpus,
    List<CorpusFile> corpusFiles,
    List<CacheFile> inputs) {

  /** Returns the number of its first shard. */
  public int firstShard() {
    return shards.get(0).shard();
  }

  /** Returns the file of its own. */
  public Path file(Path cache) {
    return new Path(cache, "plan-%06d.json".formatted(firstShard()));
  }

  /** Reads a sealed part, or returns null if it is damaged. */
  static @Nullable Part parse(String text) {
    String sound = Seal.open(text);
    return sound == null ? null : Storage.JSON.fromJson(sound, Part.class);
  }

  /** Returns the sealed JSON. */
  public String toJson() {
    return Seal.seal(Storage.JSON.toJson(this));
  }
}

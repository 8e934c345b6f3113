package io.stillhouse.jobs.cache.layout;

import io.stillhouse.config.Options;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * A teacher besides the first whose targets over the same shards a cache holds. It lies in a
 * manifest entry, and once more in a file of its own, so that either restores the other.
 *
 * @param name as {@code teacher.name} gives it
 * @param fingerprints those of {@link #OWN}
 * @param files SHA-256 of each file of its directory, by name
 */
public record CachedTeacher(
    String name, Map<String, String> fingerprints, Map<String, String> files) {
  static final String FILE = "teacher.json";

  /** Fingerprints of a teacher's targets; all others are those of the inputs, which it shares. */
  private static final List<String> OWN =
      List.of(
          Fingerprints.TEACHER,
          Fingerprints.TOKENIZER,
          Fingerprints.LIBTORCH,
          Fingerprints.DTYPE,
          Options.CACHE_PRECISION.key(),
          Fingerprints.BATCH_TOKENS);

  /** Returns a teacher with its own among the fingerprints of a run. */
  public static CachedTeacher of(String name, Map<String, String> run, Map<String, String> files) {
    Map<String, String> own = new TreeMap<>(run);
    own.keySet().retainAll(OWN);
    return new CachedTeacher(name, own, files);
  }

  public Path file(Path cache) {
    return new Path(TeacherFolder.of(cache, name), FILE);
  }

  /** Reads a sealed teacher, or returns null if it is damaged. */
  static @Nullable CachedTeacher parse(String text) {
    String sound = Seal.open(text);
    return sound == null ? null : Storage.JSON.fromJson(sound, CachedTeacher.class);
  }

  /** Returns the sealed JSON. */
  public String toJson() {
    return Seal.seal(Storage.JSON.toJson(this));
  }
}

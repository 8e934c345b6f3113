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
 * An additional teacher of a cache, with targets for the same shards. It is stored in a manifest
 * entry and again in a file, so that each copy can restore the other.
 *
 * @param name the setting {@code teacher.name}
 * @param fingerprints the fingerprints listed in {@link #FINGERPRINT_KEYS}
 * @param files SHA-256 of each file of its directory, by name
 */
public record CachedTeacher(
    String name, Map<String, String> fingerprints, Map<String, String> files) {
  static final String FILE = "teacher.json";

  /** Fingerprints of a teacher's targets. All others belong to the inputs, which teachers share. */
  private static final List<String> FINGERPRINT_KEYS =
      List.of(
          Fingerprints.TEACHER,
          Fingerprints.TOKENIZER,
          Fingerprints.LIBTORCH,
          Fingerprints.DTYPE,
          Options.CACHE_PRECISION.key(),
          Fingerprints.BATCH_TOKENS);

  /** Returns a teacher with the fingerprints of a run that concern its targets. */
  public static CachedTeacher of(String name, Map<String, String> run, Map<String, String> files) {
    Map<String, String> teacherFingerprints = new TreeMap<>(run);
    teacherFingerprints.keySet().retainAll(FINGERPRINT_KEYS);
    return new CachedTeacher(name, teacherFingerprints, files);
  }

  /** Returns the file that holds the copy of the entry. */
  public Path file(Path cache) {
    return new Path(TeacherFolder.of(cache, name), FILE);
  }

  /** Reads a sealed teacher, or returns null if it is damaged. */
  static @Nullable CachedTeacher parse(String text) {
    return Seal.read(text, CachedTeacher.class);
  }

  /** Returns the sealed JSON. */
  public String toJson() {
    return Seal.seal(Storage.JSON.toJson(this));
  }
}

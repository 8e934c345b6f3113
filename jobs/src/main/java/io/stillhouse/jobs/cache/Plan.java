package io.stillhouse.jobs.cache;

import io.stillhouse.error.Errors;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * What fixes a cache: its units, and the fingerprints of everything that its bytes depend on. It
 * lies in {@code plan.json}, and once more in the manifest's first entry, so that either restores
 * the other.
 *
 * @param version of the schema
 * @param fingerprints by name; a run whose fingerprints differ is refused
 * @param unitTokens what the corpus was cut into
 * @param units in order of their numbers
 * @param corpus what was read
 * @param teacherFiles SHA-256 of each file of the teacher's directory, by name
 * @param inputs the files of the inputs family
 */
public record Plan(
    int version,
    Map<String, String> fingerprints,
    long unitTokens,
    List<Unit> units,
    Read corpus,
    Map<String, String> teacherFiles,
    List<CacheFile> inputs) {

  /**
   * One unit.
   *
   * @param rows of which {@code poison} have no tokens
   * @param keys SHA-256 of the rows' keys in order, a line each
   */
  public record Unit(int unit, int rows, int poison, long tokens, String keys)
      implements Serializable {}

  /**
   * Rows and tokens in all; blank lines of prose, which are no rows; and rows that have a status
   * instead of tokens, by reason.
   */
  public record Read(long rows, long tokens, long blankRows, Map<String, Long> poison) {
    long poisonRows() {
      return poison.values().stream().mapToLong(Long::longValue).sum();
    }
  }

  static final String FILE = "plan.json";

  /** Returns the plan of a cache. */
  public static Plan read(Storage storage, Path cache) throws IOException {
    Path path = new Path(cache, FILE);
    if (!storage.exists(path)) {
      throw Errors.invalid(
          "'%s' is not a finished cache: it has no %s".formatted(cache, FILE),
          "run cache first, or correct cache.path");
    }
    Plan plan = parse(storage.readText(path));
    if (plan == null) {
      throw Errors.invalid(
          "'%s' is damaged".formatted(path),
          "run cache again: it restores the plan from the manifest's copy");
    }
    return plan.requireVersion(cache);
  }

  /** Reads a sealed plan, or returns null if it is damaged. */
  static @Nullable Plan parse(String text) {
    String sound = Seal.open(text);
    return sound == null ? null : Storage.JSON.fromJson(sound, Plan.class);
  }

  Plan requireVersion(Path cache) {
    if (version != Targets.VERSION) {
      throw Errors.invalid(
          "cache '%s' has schema version %d, this program reads %d"
              .formatted(cache, version, Targets.VERSION),
          "read it with the version that wrote it, or build it anew");
    }
    return this;
  }

  /** Returns the sealed JSON. */
  String toJson() {
    return Seal.seal(Storage.JSON.toJson(this));
  }

  /** Requires that a run has the fingerprints this cache was built with. */
  void requireSame(Path cache, Map<String, String> wanted) {
    List<String> problems = new ArrayList<>();
    Map<String, String> all = new TreeMap<>(fingerprints);
    all.putAll(wanted);
    for (String name : all.keySet()) {
      String had = fingerprints.getOrDefault(name, "nothing");
      String want = wanted.getOrDefault(name, "nothing");
      if (!had.equals(want)) {
        problems.add(
            "cache '%s' was built with %s = %s, this recipe has %s; use the same, or another cache.path"
                .formatted(cache, name, had, want));
      }
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
  }
}

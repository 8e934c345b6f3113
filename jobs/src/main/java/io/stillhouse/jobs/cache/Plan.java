package io.stillhouse.jobs.cache;

import io.stillhouse.error.Errors;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/**
 * What fixes a cache: its units, and the fingerprints of everything that its bytes depend on.
 *
 * @param version of the schema
 * @param fingerprints by name; a run whose fingerprints differ is refused
 * @param units in order of their numbers
 * @param corpus what was read
 */
public record Plan(int version, Map<String, String> fingerprints, List<Unit> units, Read corpus) {

  /** Rows and tokens of one unit. */
  public record Unit(int unit, int rows, long tokens) {}

  /** Rows and tokens in all, and rows of the corpus that held no token. */
  public record Read(long rows, long tokens, long blankRows) {}

  static final String FILE = "plan.json";

  /** Returns the plan of a cache. */
  public static Plan read(Storage storage, Path cache) throws IOException {
    Path path = new Path(cache, FILE);
    if (!storage.exists(path)) {
      throw Errors.invalid(
          "'%s' is not a finished cache: it has no %s".formatted(cache, FILE),
          "run cache first, or correct cache.path");
    }
    Plan plan = Storage.JSON.fromJson(storage.readText(path), Plan.class);
    if (plan.version() != Targets.VERSION) {
      throw Errors.invalid(
          "cache '%s' has schema version %d, this program reads %d"
              .formatted(cache, plan.version(), Targets.VERSION),
          "read it with the version that wrote it, or build it anew");
    }
    return plan;
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

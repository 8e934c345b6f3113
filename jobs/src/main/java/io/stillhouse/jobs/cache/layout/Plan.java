package io.stillhouse.jobs.cache.layout;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * What fixes a cache: its units, and the fingerprints of everything that its bytes depend on. It
 * lies in {@code plan.json}, and once more in the manifest's first entry, so that either restores
 * the other. Neither ever changes: what a cache grew by is in further {@linkplain Part parts}.
 *
 * @param version of the schema
 * @param fingerprints by name; a run whose fingerprints differ is refused
 * @param shardTokens the most tokens that a shard was to have
 * @param shards in order of their numbers
 * @param corpus what was read
 * @param teacherFiles SHA-256 of each file of the teacher's directory, by name
 * @param inputs the files of the inputs family
 * @param corpusFiles the files of text
 * @param window of targets that the cache holds at once, or null where it holds all
 */
public record Plan(
    int version,
    Map<String, String> fingerprints,
    long shardTokens,
    List<Shard> shards,
    Read corpus,
    Map<String, String> teacherFiles,
    List<CacheFile> inputs,
    List<CorpusFile> corpusFiles,
    @Nullable Window window) {

  /**
   * One shard.
   *
   * @param rows of which {@code invalid} have no tokens
   * @param keys SHA-256 of the rows' keys in order, a line each
   */
  public record Shard(int shard, int rows, int invalid, long tokens, String keys)
      implements Serializable {}

  /**
   * Rows and tokens in all; blank lines of prose, which are no rows; and rows that have a status
   * instead of tokens, by reason.
   */
  public record Read(long rows, long tokens, long blankRows, Map<String, Long> invalid) {
    public long invalidRows() {
      return invalid.values().stream().mapToLong(Long::longValue).sum();
    }

    Read plus(Read other) {
      Map<String, Long> both = new TreeMap<>(invalid);
      other.invalid.forEach((reason, count) -> both.merge(reason, count, Long::sum));
      return new Read(rows + other.rows, tokens + other.tokens, blankRows + other.blankRows, both);
    }
  }

  public static final String FILE = "plan.json";

  /** Returns the plan of a cache as it was first made. */
  public static Plan first(Storage storage, Path cache) throws IOException {
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

  /** Returns the plan of a cache with everything that it grew by. */
  public static Plan read(Storage storage, Path cache) throws IOException {
    return first(storage, cache).grownBy(Manifest.read(storage, cache).parts(), cache);
  }

  /** Returns this first part as one. */
  public Part part() {
    return new Part(shardTokens, shards, corpus, corpusFiles, inputs);
  }

  /**
   * Returns this plan with further parts.
   *
   * @throws io.stillhouse.error.StillhouseException if a part is missing
   */
  public Plan grownBy(Collection<Part> parts, Path cache) {
    Plan all = this;
    for (Part part : parts.stream().sorted(Comparator.comparingInt(Part::firstShard)).toList()) {
      if (part.firstShard() != all.shards.size()) {
        throw Errors.invalid(
            "the plan of cache '%s' lacks shards %d..%d"
                .formatted(cache, all.shards.size(), part.firstShard() - 1),
            "run verify on the cache, then cache again; if that says the same, both copies of a"
                + " part of the plan are lost, and so is the cache");
      }
      all = all.plus(part);
    }
    return all;
  }

  private Plan plus(Part part) {
    Map<String, String> grown = new TreeMap<>(fingerprints);
    grown.computeIfPresent(
        Fingerprints.CORPUS, (name, before) -> CorpusFile.combined(before, part.corpusFiles()));
    return new Plan(
        version,
        grown,
        shardTokens,
        concatenated(shards, part.shards()),
        corpus.plus(part.corpus()),
        teacherFiles,
        concatenated(inputs, part.inputs()),
        concatenated(corpusFiles, part.corpusFiles()),
        window);
  }

  private static <T> List<T> concatenated(List<T> one, List<T> other) {
    List<T> both = new ArrayList<>(one);
    both.addAll(other);
    return List.copyOf(both);
  }

  /** Requires all shards that the manifest has files of: a lost part must not pass for no rows. */
  public void requireAllShards(Path cache, Manifest manifest) {
    if (manifest.files().stream().anyMatch(file -> file.shard() >= shards.size())) {
      throw Errors.invalid(
          "cache '%s' has files of more shards than the %d of its plan"
              .formatted(cache, shards.size()),
          "run verify on the cache, then cache again");
    }
  }

  /** Returns this plan as another teacher's targets see it. */
  public Plan of(OtherTeacher teacher) {
    Map<String, String> own = new TreeMap<>(fingerprints);
    own.putAll(teacher.fingerprints());
    return new Plan(
        version, own, shardTokens, shards, corpus, teacher.files(), inputs, corpusFiles, window);
  }

  /** Reads a sealed plan, or returns null if it is damaged. */
  public static @Nullable Plan parse(String text) {
    String sound = Seal.open(text);
    return sound == null ? null : Storage.JSON.fromJson(sound, Plan.class);
  }

  public Plan requireVersion(Path cache) {
    if (version != Targets.VERSION) {
      throw Errors.invalid(
          "cache '%s' has schema version %d, this program reads %d"
              .formatted(cache, version, Targets.VERSION),
          "read it with the version that wrote it, or build it anew");
    }
    return this;
  }

  /** Returns the sealed JSON. */
  public String toJson() {
    return Seal.seal(Storage.JSON.toJson(this));
  }

  /**
   * Requires that a run has the fingerprints this cache was built with, but for the text's: {@link
   * CorpusMatch} holds its files against the run's one by one.
   */
  public void requireSame(Path cache, Map<String, String> wanted) {
    List<String> problems = new ArrayList<>();
    Map<String, String> all = new TreeMap<>(fingerprints);
    all.putAll(wanted);
    all.remove(Fingerprints.CORPUS);
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

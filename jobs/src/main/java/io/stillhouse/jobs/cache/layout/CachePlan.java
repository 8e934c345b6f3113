package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The shards of a cache, and the fingerprints of everything that its bytes depend on. The plan is
 * stored in {@code plan.json} and again in the manifest's first entry, so that each copy can
 * restore the other. Neither copy ever changes: text that is added later is stored in further
 * {@link PlanPart}s.
 *
 * @param version format version
 * @param fingerprints fingerprints, by name
 * @param part the shards: those of the first part, or of the whole cache if this plan was
 *     {@linkplain #plus grown}
 * @param teacherFiles SHA-256 of each file of the teacher's directory, by name
 * @param window window of targets that the cache holds at a time; null if it holds all
 */
public record CachePlan(
    int version,
    Map<String, String> fingerprints,
    PlanPart part,
    Map<String, String> teacherFiles,
    @Nullable Window window) {

  public static final String FILE = "plan.json";

  /**
   * Returns the plan of a cache without later parts.
   *
   * @throws io.stillhouse.error.StillhouseException if there is none, it is damaged, or another
   *     version wrote it
   */
  public static CachePlan first(Storage storage, Path cache) throws IOException {
    Path path = new Path(cache, FILE);
    if (!storage.exists(path)) {
      throw Errors.invalid(
          format("'%s' is not a finished cache: it has no %s", cache, FILE),
          "run cache first, or correct cache.path");
    }
    CachePlan plan = parse(storage.readText(path));
    if (plan == null) {
      throw Errors.invalid(
          format("'%s' is damaged", path),
          "run cache again, which restores the plan from the manifest's copy");
    }
    return plan.requireVersion(cache);
  }

  /** Returns the plan of a cache with all its parts. */
  public static CachePlan read(Storage storage, Path cache) throws IOException {
    return first(storage, cache).plus(ManifestLog.read(storage, cache).state().parts(), cache);
  }

  /** Returns the shards, in order of their numbers. */
  public List<PlanPart.Shard> shards() {
    return part.shards();
  }

  /** Returns how much text was read. */
  public PlanPart.Counts corpus() {
    return part.corpus();
  }

  /** Returns the files of text, in the order in which they were read. */
  public List<CorpusFile> corpusFiles() {
    return part.corpusFiles();
  }

  /** Returns the files of the inputs family, one for each shard. */
  public List<CacheFile> inputs() {
    return part.inputs();
  }

  /**
   * Returns this plan with later parts.
   *
   * @throws io.stillhouse.error.StillhouseException if a part is missing
   */
  public CachePlan plus(Collection<PlanPart> parts, Path cache) {
    CachePlan all = this;
    for (PlanPart next :
        parts.stream().sorted(Comparator.comparingInt(PlanPart::firstShard)).toList()) {
      if (next.firstShard() != all.shards().size()) {
        throw Errors.invalid(
            format(
                "the plan of cache '%s' lacks shards %d..%d",
                cache, all.shards().size(), next.firstShard() - 1),
            "run verify on the cache, then cache again; if that does not help, both copies of a"
                + " part of the plan are lost, and the cache must be built again");
      }
      all = all.plus(next);
    }
    return all;
  }

  private CachePlan plus(PlanPart next) {
    Map<String, String> grown = new TreeMap<>(fingerprints);
    grown.computeIfPresent(
        Fingerprints.CORPUS, (name, before) -> CorpusFile.combined(before, next.corpusFiles()));
    return new CachePlan(version, grown, part.plus(next), teacherFiles, window);
  }

  /** Requires that the plan has every shard for which the manifest lists files. */
  public void requireAllShards(Path cache, CacheState state) {
    if (state.files().stream().anyMatch(file -> file.shard() >= shards().size())) {
      throw Errors.invalid(
          format(
              "cache '%s' has files of more shards than the %d in its plan",
              cache, shards().size()),
          "run verify on the cache, then cache again");
    }
  }

  /** Returns this plan for the targets of an additional teacher. */
  public CachePlan of(CachedTeacher teacher) {
    Map<String, String> combined = new TreeMap<>(fingerprints);
    combined.putAll(teacher.fingerprints());
    return new CachePlan(version, combined, part, teacher.files(), window);
  }

  /** Reads a sealed plan, or returns null if it is damaged. */
  public static @Nullable CachePlan parse(String text) {
    return Seal.read(text, CachePlan.class);
  }

  /**
   * Returns this plan.
   *
   * @throws io.stillhouse.error.StillhouseException if its version is not the one that this program
   *     reads
   */
  public CachePlan requireVersion(Path cache) {
    if (version != Targets.VERSION) {
      throw Errors.invalid(
          format(
              "cache '%s' has format version %d, but this program reads version %d",
              cache, version, Targets.VERSION),
          "read it with the version that wrote it, or build it again");
    }
    return this;
  }

  /** Returns the sealed JSON. */
  public String toJson() {
    return Seal.seal(Storage.JSON.toJson(this));
  }

  /**
   * Requires that a run has the fingerprints that this cache was built with, except for that of the
   * corpus, whose files are compared one by one.
   *
   * @throws io.stillhouse.error.StillhouseException naming every fingerprint that differs
   */
  public void requireSame(Path cache, Map<String, String> wanted) {
    Map<String, String> recorded = new TreeMap<>(fingerprints);
    Map<String, String> requested = new TreeMap<>(wanted);
    recorded.remove(Fingerprints.CORPUS);
    requested.remove(Fingerprints.CORPUS);
    Fingerprints.requireEqual(
        cache, recorded, requested, "use the same value, or another cache.path");
  }
}

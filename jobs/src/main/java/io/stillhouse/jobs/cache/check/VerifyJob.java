package io.stillhouse.jobs.cache.check;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.build.Planner;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.CachedTeacher;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.layout.PlanStore;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Proves a cache complete and faithful, or says what is not: every byte against its hash, every row
 * key against the plan, and a sample against the live teacher. Damaged files are revoked, so that
 * the next {@code cache} computes them anew.
 */
public final class VerifyJob {
  /** What the verdict is written to, sealed, inside the cache. */
  static final String RECORD = "verify.json";

  private static final int FILES_A_TASK = 16;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;

  /**
   * The verdict.
   *
   * @param damaged what is not what was written, with the shard where there is one
   * @param missing columns that some shards lack
   * @param revoked files and manifest entries that count no longer
   * @param fidelity errors of a sample, by column
   * @param dropped shards whose targets were let go, and so are not checked
   * @param seenBy the students that had seen them
   */
  public record Result(
      String cache,
      long files,
      long bytes,
      long rows,
      List<String> damaged,
      List<String> missing,
      List<String> revoked,
      Map<String, Fidelity.ColumnError> fidelity,
      int dropped,
      List<String> seenBy) {

    /** Whether everything is there, as it was written, and as the teacher gives it. */
    public boolean sound() {
      return damaged.isEmpty()
          && missing.isEmpty()
          && fidelity.values().stream().allMatch(Fidelity.ColumnError::faithful);
    }

    /** Returns the verdict for people. */
    public List<String> lines() {
      List<String> lines = new ArrayList<>();
      damaged.forEach(fault -> lines.add("damaged: " + fault));
      missing.forEach(column -> lines.add("missing: " + column));
      revoked.forEach(file -> lines.add("revoked: " + file));
      if (dropped > 0) {
        lines.add(
            "dropped: the targets of %,d shards, which %s had seen"
                .formatted(dropped, seenBy.isEmpty() ? "nobody" : String.join(", ", seenBy)));
      }
      fidelity.forEach(
          (name, column) ->
              lines.add(
                  "%s: %s is %.1e from the live teacher; noise floor %.1e, limit %.1e; %.1e from float32"
                      .formatted(
                          column.faithful() ? "faithful" : "UNFAITHFUL",
                          name,
                          column.error(),
                          column.noise(),
                          column.limit(),
                          column.fromFloat32())));
      lines.add(
          "%s %s: %,d files, %,d bytes, %,d rows"
              .formatted(sound() ? "sound" : "NOT SOUND", cache, files, bytes, rows));
      if (!damaged.isEmpty() || !missing.isEmpty()) {
        lines.add("run cache with the recipe again: it computes what is missing, and nothing else");
      }
      if (!fidelity.values().stream().allMatch(Fidelity.ColumnError::faithful)) {
        lines.add(
            "the files are those that were written, but the teacher gives other numbers now: make"
                + " the cache anew under another cache.path, and compare the two with diff");
      }
      return lines;
    }
  }

  public VerifyJob(SparkSession spark, Settings settings, String cache) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.cache = storage.requireExisting("CACHE", cache);
  }

  /** Verifies, revokes what is damaged, and writes the verdict. */
  public Result run() throws IOException {
    List<String> damaged = new ArrayList<>();
    ManifestLog manifest = ManifestLog.survey(storage, cache);
    CachePlan plan = plan(manifest, damaged);
    manifest.damaged().forEach(entry -> damaged.add(relative(entry) + ": a manifest entry"));
    damaged.addAll(new PlanStore(storage, cache).faults(manifest.state()));
    records(manifest, damaged);
    teacher("", plan.teacherFiles(), damaged);
    for (CachedTeacher other : manifest.state().teachers().values()) {
      teacher(other.name(), other.files(), damaged);
    }
    Set<String> revoked = new TreeSet<>();
    for (CacheFile file : check(manifest.state().files(), plan, damaged)) {
      revoked.add(file.path());
    }
    List<Integer> lost =
        manifest.damaged().stream()
            .map(path -> Integer.valueOf(path.getName().replace(".json", "")))
            .toList();
    boolean whole = damaged.isEmpty();
    if (!revoked.isEmpty() || !lost.isEmpty()) {
      manifest.append(new ManifestChange.Revoked(revoked, lost));
    }
    List<String> missing = missing(plan, manifest);
    Result result =
        new Result(
            cache.toString(),
            manifest.state().files().size(),
            manifest.state().files().stream().mapToLong(file -> file.size().bytes()).sum(),
            plan.corpus().rows(),
            damaged,
            missing,
            revoked(revoked, lost),
            whole && missing.isEmpty() && settings.get(Options.VERIFY_ROWS) > 0
                ? fidelity(plan, manifest)
                : Map.of(),
            manifest.state().dropped().size(),
            manifest.state().dropped().values().stream()
                .flatMap(dropped -> dropped.students().stream())
                .distinct()
                .sorted()
                .toList());
    storage.writeText(new Path(cache, RECORD), Seal.seal(Storage.JSON.toJson(result)));
    return result;
  }

  private static List<String> revoked(Set<String> files, List<Integer> entries) {
    List<String> all = new ArrayList<>(files);
    entries.forEach(number -> all.add("manifest entry " + number));
    return all;
  }

  private Map<String, Fidelity.ColumnError> fidelity(CachePlan plan, ManifestLog manifest)
      throws IOException {
    Fidelity fidelity = new Fidelity(storage, cache, settings);
    Map<String, Fidelity.ColumnError> all = new TreeMap<>();
    for (String teacher : manifest.state().allTeachers()) {
      CachedTeacher other = manifest.state().teachers().get(teacher);
      fidelity
          .sample(other == null ? plan : plan.of(other), manifest, teacher)
          .forEach((column, error) -> all.put(labelled(teacher, column), error));
    }
    return all;
  }

  /** Returns a column's name with that of its teacher, which the first has not. */
  static String labelled(String teacher, String column) {
    return teacher.isEmpty() ? column : teacher + "/" + column;
  }

  /** Returns the plan and what it grew by, from whichever copies are sound. */
  private CachePlan plan(ManifestLog manifest, List<String> damaged) throws IOException {
    Path file = new Path(cache, CachePlan.FILE);
    CachePlan plan = storage.exists(file) ? CachePlan.parse(storage.readText(file)) : null;
    if (plan == null && manifest.state().plan() != null) {
      damaged.add(CachePlan.FILE + ": " + (storage.exists(file) ? "damaged" : "missing"));
      plan = manifest.state().plan();
    }
    Map<Integer, PlanPart> parts = new TreeMap<>();
    new PlanStore(storage, cache).parts().forEach(part -> parts.put(part.firstShard(), part));
    manifest.state().parts().forEach(part -> parts.put(part.firstShard(), part));
    return (plan == null ? CachePlan.first(storage, cache) : plan.requireVersion(cache))
        .grownBy(parts.values(), cache);
  }

  /** Checks what runs left: it also tells of entries that are gone from the manifest's end. */
  private void records(ManifestLog manifest, List<String> damaged) throws IOException {
    int entries = 0;
    List<String> names = new ArrayList<>(List.of(RECORD));
    for (String teacher : manifest.state().allTeachers()) {
      names.add(TeacherFolder.prefix(teacher) + CacheRecord.FILE);
      CacheRecord last = CacheRecord.last(storage, cache, teacher);
      entries = Math.max(entries, last == null ? 0 : last.manifestEntries());
    }
    for (int n = manifest.entries(); n < entries; n++) {
      damaged.add(ManifestLog.entry(n) + ": missing");
    }
    for (String name : names) {
      Path file = new Path(cache, name);
      if (storage.exists(file) && Seal.open(storage.readText(file)) == null) {
        damaged.add(name + ": damaged");
      }
    }
  }

  private void teacher(String name, Map<String, String> files, List<String> damaged)
      throws IOException {
    for (Map.Entry<String, String> file : files.entrySet()) {
      Path path = new Path(TeacherFolder.model(cache, name), file.getKey());
      if (!storage.exists(path)) {
        damaged.add(relative(path) + ": missing");
      } else if (!storage.sha256(path).equals(file.getValue())) {
        damaged.add(relative(path) + ": not the file that the cache was built with");
      }
    }
  }

  private String relative(Path path) {
    return path.toUri().getPath().substring(cache.toUri().getPath().length() + 1);
  }

  /** Reads every file in tasks, and returns the damaged ones. */
  private List<CacheFile> check(List<CacheFile> files, CachePlan plan, List<String> damaged) {
    if (files.isEmpty()) {
      return List.of();
    }
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobGroup("verify", "hashes and row keys of %d files".formatted(files.size()), true);
    Map<Integer, String> keys = new HashMap<>();
    plan.shards().forEach(shard -> keys.put(shard.shard(), shard.keys()));
    String place = cache.toString();
    try (Progress progress = Progress.start("verify", files.size(), "files")) {
      List<CacheFile> broken = new ArrayList<>();
      int tasks = Math.max(1, files.size() / FILES_A_TASK);
      List<scala.Tuple2<CacheFile, String>> verdicts =
          context
              .parallelize(files, tasks)
              .map(file -> new scala.Tuple2<>(file, fault(place, file, keys.get(file.shard()))))
              .collect();
      for (scala.Tuple2<CacheFile, String> verdict : verdicts) {
        if (verdict._2 != null) {
          broken.add(verdict._1);
          damaged.add(
              "%s (shard %d): %s".formatted(verdict._1.path(), verdict._1.shard(), verdict._2));
        }
      }
      progress.update(files.size());
      return broken;
    }
  }

  /** Returns what is wrong with a file, or null. */
  private static @Nullable String fault(String cache, CacheFile file, String keys) {
    Storage storage = Storage.ofThisProcess();
    CheckedFile checked = new CheckedFile(storage, new Path(cache), file);
    try {
      checked.verify();
      return Planner.keys(Planner.keys(checked, storage)).equals(keys)
          ? null
          : "its row keys are not those of the plan's shard";
    } catch (StillhouseException e) {
      return e.getMessage();
    } catch (IOException e) { // a bad sector, or a block of which no copy is left
      return "it cannot be read: " + e;
    }
  }

  /** Returns columns, inputs among them, that shards lack of what the last cache runs left. */
  private List<String> missing(CachePlan plan, ManifestLog manifest) throws IOException {
    List<String> missing = new ArrayList<>();
    for (String file : new PlanStore(storage, cache).unlisted(manifest.state())) {
      missing.add("the manifest entry of " + file);
    }
    long noInputs =
        plan.shards().stream()
            .filter(shard -> manifest.state().inputs(shard.shard()).isEmpty())
            .count();
    if (noInputs > 0) {
      missing.add("%s in %d shards".formatted(Family.INPUTS.id(), noInputs));
    }
    for (String teacher : manifest.state().allTeachers()) {
      Set<String> wanted = new TreeSet<>(manifest.state().columns(teacher));
      CacheRecord last = CacheRecord.last(storage, cache, teacher);
      if (last == null) {
        missing.add(
            "%s%s: no cache command has finished"
                .formatted(TeacherFolder.prefix(teacher), CacheRecord.FILE));
      } else {
        wanted.addAll(last.columns());
      }
      for (String name : wanted) {
        long shards =
            plan.shards().stream()
                .filter(shard -> !manifest.state().isDropped(shard.shard()))
                .filter(shard -> !manifest.state().has(shard.shard(), teacher, Targets.named(name)))
                .count();
        if (shards > 0) {
          missing.add("%s in %d shards".formatted(labelled(teacher, name), shards));
        }
      }
    }
    return missing;
  }
}

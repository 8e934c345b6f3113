package io.stillhouse.jobs.cache.check;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.CachedTeacher;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.layout.PlanStore;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.TrackedJob;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checks that a cache is complete and faithful: every byte against its hash, every row key against
 * the plan, and a sample against the live teacher. Damaged files are revoked, so that the next
 * {@code cache} command computes them again.
 */
public final class VerifyJob {
  /** The sealed file inside the cache that the result is written to. */
  static final String RECORD = "verify.json";

  private static final Logger LOG = LoggerFactory.getLogger(VerifyJob.class);
  private static final int FILES_PER_TASK = 16;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;

  /**
   * The result of a check.
   *
   * @param damaged what differs from what was written, with the shard if there is one
   * @param missing columns that some shards lack
   * @param revoked files and manifest entries that no longer belong to the cache
   * @param fidelity errors of a sample, by column; empty if it was not compared
   */
  public record Result(
      String cache,
      Checked checked,
      List<String> damaged,
      List<String> missing,
      List<String> revoked,
      Map<String, Fidelity.ColumnError> fidelity,
      Dropped dropped) {

    /** Returns whether the cache is complete, undamaged and faithful to the teacher. */
    public boolean isSound() {
      return damaged.isEmpty() && missing.isEmpty() && faithful();
    }

    private boolean faithful() {
      return fidelity.values().stream().allMatch(Fidelity.ColumnError::faithful);
    }

    /** Returns the result as lines for a terminal. */
    public List<String> lines() {
      List<String> lines = new ArrayList<>();
      damaged.forEach(fault -> lines.add("damaged: " + fault));
      missing.forEach(column -> lines.add("missing: " + column));
      revoked.forEach(file -> lines.add("revoked: " + file));
      if (dropped.shards() > 0) {
        lines.add(
            format(
                "dropped: the targets of %,d shards, which %s had read",
                dropped.shards(),
                dropped.readBy().isEmpty() ? "no student" : String.join(", ", dropped.readBy())));
      }
      fidelity.forEach((name, column) -> lines.add(line(name, column)));
      lines.add(
          format(
              "%s %s: %,d files, %,d bytes, %,d rows",
              isSound() ? "sound" : "NOT SOUND",
              cache,
              checked.files(),
              checked.bytes(),
              checked.rows()));
      if (!damaged.isEmpty() || !missing.isEmpty()) {
        lines.add("run cache with the recipe again: it computes what is missing, and nothing else");
      }
      if (!faithful()) {
        lines.add(
            "the files are those that were written, but the teacher now computes other numbers:"
                + " build another cache under another cache.path, and compare the two with diff");
      }
      return lines;
    }

    private static String line(String name, Fidelity.ColumnError column) {
      return format(
          "%s: %s is %.1e from the live teacher; noise floor %.1e, limit %.1e; %.1e from float32",
          column.faithful() ? "faithful" : "UNFAITHFUL",
          name,
          column.error(),
          column.noise(),
          column.limit(),
          column.fromFloat32());
    }
  }

  /** The contents of the cache: data files, their bytes, and the rows of the plan. */
  public record Checked(long files, long bytes, long rows) {}

  /**
   * Shards whose targets were dropped, which are not checked.
   *
   * @param readBy names of the students that had read them
   */
  public record Dropped(int shards, List<String> readBy) {}

  public VerifyJob(SparkSession spark, Settings settings, String cache) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.cache = storage.requireExisting("CACHE", cache);
  }

  /** Checks the cache, revokes what is damaged, and writes the result. */
  public Result run() throws IOException {
    long start = System.nanoTime();
    List<String> damaged = new ArrayList<>();
    ManifestLog manifest = ManifestLog.readUndamaged(storage, cache);
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
    boolean undamaged = damaged.isEmpty();
    if (!revoked.isEmpty() || !lost.isEmpty()) {
      manifest.append(new ManifestChange.Revoked(revoked, lost));
    }
    List<String> missing = missing(plan, manifest);
    boolean compares = undamaged && missing.isEmpty() && settings.get(Options.VERIFY_ROWS) > 0;
    Result result =
        new Result(
            cache.toString(),
            checked(manifest, plan),
            damaged,
            missing,
            revoked(revoked, lost),
            compares ? fidelity(plan, manifest) : Map.of(),
            dropped(manifest));
    storage.writeText(new Path(cache, RECORD), Seal.seal(Storage.json(result)));
    LOG.debug(
        "verified cache '{}' in {} s: {} faults, {} gaps",
        cache,
        Math.round((System.nanoTime() - start) / 1e9),
        damaged.size(),
        missing.size());
    return result;
  }

  private static Checked checked(ManifestLog manifest, CachePlan plan) {
    List<CacheFile> files = manifest.state().files();
    long bytes = files.stream().mapToLong(file -> file.size().bytes()).sum();
    return new Checked(files.size(), bytes, plan.corpus().rows());
  }

  private static Dropped dropped(ManifestLog manifest) {
    return new Dropped(
        manifest.state().dropped().size(),
        manifest.state().dropped().values().stream()
            .flatMap(dropped -> dropped.students().stream())
            .distinct()
            .sorted()
            .toList());
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

  /** Returns a column's name, preceded by that of its teacher unless that is the first one. */
  static String labelled(String teacher, String column) {
    return teacher.isEmpty() ? column : teacher + "/" + column;
  }

  /** Returns the result of the last check; empty if there was none, or its record is damaged. */
  public static Optional<Result> last(Storage storage, Path cache) throws IOException {
    Path file = new Path(cache, RECORD);
    return storage.exists(file)
        ? Optional.ofNullable(Seal.read(storage.readText(file), Result.class))
        : Optional.empty();
  }

  /** Returns the plan with all its parts, from the undamaged copies. */
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
        .plus(parts.values(), cache);
  }

  /** Checks the records of runs, which also reveal entries lost from the manifest's end. */
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
    Map<Integer, String> keys = new HashMap<>();
    plan.shards().forEach(shard -> keys.put(shard.shard(), shard.keys()));
    FileCheck check = new FileCheck(cache.toString(), keys);
    int tasks = Math.max(1, files.size() / FILES_PER_TASK);
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    List<CacheFile> broken = new ArrayList<>();
    String description = format("hashes and row keys of %d files", files.size());
    try (TrackedJob job = TrackedJob.start(spark, "verify", description)) {
      LongAccumulator done =
          job.count("verified files", Progress.start("verify", files.size(), "files"));
      List<FileCheck.Fault> faults =
          job.run(
              () ->
                  context
                      .parallelize(files, tasks)
                      .mapPartitions(part -> check.check(part, done::add))
                      .collect());
      for (FileCheck.Fault fault : faults) {
        CacheFile file = fault.file();
        broken.add(file);
        damaged.add(format("%s (shard %d): %s", file.path(), file.shard(), fault.reason()));
      }
    }
    return broken;
  }

  /** Returns the inputs and the recorded columns that some shards lack. */
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
      missing.add(format("%s in %d shards", Family.INPUTS.id(), noInputs));
    }
    for (String teacher : manifest.state().allTeachers()) {
      Set<String> wanted = new TreeSet<>(manifest.state().columns(teacher));
      CacheRecord last = CacheRecord.last(storage, cache, teacher);
      if (last == null) {
        missing.add(
            format(
                "%s%s: no cache command has finished",
                TeacherFolder.prefix(teacher), CacheRecord.FILE));
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
          missing.add(format("%s in %d shards", labelled(teacher, name), shards));
        }
      }
    }
    return missing;
  }
}

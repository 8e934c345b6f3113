package io.stillhouse.jobs.cache;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Progress;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
   * @param damaged what is not what was written, with the unit where there is one
   * @param missing columns that some units lack
   * @param revoked files and manifest entries that count no longer
   * @param fidelity errors of a sample, by column
   */
  public record Result(
      String cache,
      long files,
      long bytes,
      long rows,
      List<String> damaged,
      List<String> missing,
      List<String> revoked,
      Map<String, Fidelity.ColumnError> fidelity) {

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
    Manifest manifest = Manifest.survey(storage, cache);
    Plan plan = plan(manifest, damaged);
    manifest.damaged().forEach(entry -> damaged.add(relative(entry) + ": a manifest entry"));
    records(manifest, damaged);
    teacher(plan, damaged);
    Set<String> revoked = new TreeSet<>();
    for (CacheFile file : check(manifest.files(), plan, damaged)) {
      revoked.add(file.path());
    }
    List<Integer> lost =
        manifest.damaged().stream()
            .map(path -> Integer.valueOf(path.getName().replace(".json", "")))
            .toList();
    boolean whole = damaged.isEmpty();
    if (!revoked.isEmpty() || !lost.isEmpty()) {
      manifest.append(Manifest.Entry.revoking(revoked, lost));
    }
    List<String> missing = missing(plan, manifest);
    Result result =
        new Result(
            cache.toString(),
            manifest.files().size(),
            manifest.files().stream().mapToLong(file -> file.size().bytes()).sum(),
            plan.corpus().rows(),
            damaged,
            missing,
            revoked(revoked, lost),
            whole && missing.isEmpty() && settings.get(Options.VERIFY_ROWS) > 0
                ? new Fidelity(storage, cache, settings).sample(plan, manifest)
                : Map.of());
    storage.writeText(new Path(cache, RECORD), Seal.seal(Storage.JSON.toJson(result)));
    return result;
  }

  private static List<String> revoked(Set<String> files, List<Integer> entries) {
    List<String> all = new ArrayList<>(files);
    entries.forEach(number -> all.add("manifest entry " + number));
    return all;
  }

  /** Returns the plan from whichever copy is sound. */
  private Plan plan(Manifest manifest, List<String> damaged) throws IOException {
    Path file = new Path(cache, Plan.FILE);
    Plan plan = storage.exists(file) ? Plan.parse(storage.readText(file)) : null;
    if (plan == null && manifest.plan() != null) {
      damaged.add(Plan.FILE + ": " + (storage.exists(file) ? "damaged" : "missing"));
      plan = manifest.plan();
    }
    return plan == null ? Plan.read(storage, cache) : plan.requireVersion(cache);
  }

  /** Checks what runs left: it also tells of entries that are gone from the manifest's end. */
  private void records(Manifest manifest, List<String> damaged) throws IOException {
    CacheJob.Result last = lastRun();
    for (int n = manifest.entries(); last != null && n < last.manifestEntries(); n++) {
      damaged.add(Manifest.entry(n) + ": missing");
    }
    for (String name : List.of(CacheJob.RECORD, RECORD)) {
      Path file = new Path(cache, name);
      if (storage.exists(file) && Seal.open(storage.readText(file)) == null) {
        damaged.add(name + ": damaged");
      }
    }
  }

  private void teacher(Plan plan, List<String> damaged) throws IOException {
    for (Map.Entry<String, String> file : plan.teacherFiles().entrySet()) {
      Path path = new Path(new Path(cache, CacheJob.TEACHER), file.getKey());
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
  private List<CacheFile> check(List<CacheFile> files, Plan plan, List<String> damaged) {
    if (files.isEmpty()) {
      return List.of();
    }
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobGroup("verify", "hashes and row keys of %d files".formatted(files.size()), true);
    Map<Integer, String> keys = new HashMap<>();
    plan.units().forEach(unit -> keys.put(unit.unit(), unit.keys()));
    String place = cache.toString();
    try (Progress progress = Progress.start("verify", files.size(), "files")) {
      List<CacheFile> broken = new ArrayList<>();
      int tasks = Math.max(1, files.size() / FILES_A_TASK);
      List<scala.Tuple2<CacheFile, String>> verdicts =
          context
              .parallelize(files, tasks)
              .map(file -> new scala.Tuple2<>(file, fault(place, file, keys.get(file.unit()))))
              .collect();
      for (scala.Tuple2<CacheFile, String> verdict : verdicts) {
        if (verdict._2 != null) {
          broken.add(verdict._1);
          damaged.add(
              "%s (unit %d): %s".formatted(verdict._1.path(), verdict._1.unit(), verdict._2));
        }
      }
      progress.update(files.size());
      return broken;
    }
  }

  /** Returns what is wrong with a file, or null. */
  private static @Nullable String fault(String cache, CacheFile file, String keys)
      throws IOException {
    Storage storage = Storage.ofThisProcess();
    CheckedFile checked = new CheckedFile(storage, new Path(cache), file);
    try {
      checked.verify();
      List<String> ids =
          ParquetRows.read(checked, List.of(Targets.ID), storage.hadoop()).stream()
              .map(row -> (String) row[0])
              .toList();
      return Planner.keys(ids).equals(keys)
          ? null
          : "its row keys are not those of the plan's unit";
    } catch (StillhouseException e) {
      return e.getMessage();
    }
  }

  /** Returns what the last finished cache run left, or null if that is damaged or not there. */
  private CacheJob.@Nullable Result lastRun() throws IOException {
    Path record = new Path(cache, CacheJob.RECORD);
    String text = storage.exists(record) ? Seal.open(storage.readText(record)) : null;
    return text == null ? null : Storage.JSON.fromJson(text, CacheJob.Result.class);
  }

  /** Returns columns, inputs among them, that units lack of what the last cache run left. */
  private List<String> missing(Plan plan, Manifest manifest) throws IOException {
    Set<String> wanted = new TreeSet<>(manifest.columns());
    CacheJob.Result last = lastRun();
    List<String> missing = new ArrayList<>();
    if (last == null) {
      missing.add("%s: no cache command has finished".formatted(CacheJob.RECORD));
    } else {
      wanted.addAll(last.columns());
    }
    long noInputs =
        plan.units().stream().filter(unit -> !manifest.has(unit.unit(), Targets.ID)).count();
    if (noInputs > 0) {
      missing.add("%s in %d units".formatted(Family.INPUTS.id(), noInputs));
    }
    for (String name : wanted) {
      long units =
          plan.units().stream()
              .filter(unit -> !manifest.has(unit.unit(), Targets.named(name)))
              .count();
      if (units > 0) {
        missing.add("%s in %d units".formatted(name, units));
      }
    }
    return missing;
  }
}

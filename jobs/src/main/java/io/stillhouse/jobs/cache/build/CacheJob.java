package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.Lease;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.layout.Window;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.DiskFull;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.recipe.TargetRecipe;
import io.stillhouse.spec.Precision;
import io.stillhouse.target.Column;
import io.stillhouse.target.TargetChoice;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a teacher once over the corpus and writes its targets. A restart computes only what the
 * manifest lacks, as does a run with more text, more targets or another teacher.
 */
public final class CacheJob {
  private static final Logger LOG = LoggerFactory.getLogger(CacheJob.class);

  private final CacheContext context;
  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final HuggingFaceDirectory teacher;
  private final ModelCheck check;
  private final String name;
  private final TargetChoice choice;
  private final @Nullable Window window;
  private final ShardSize shardSize;
  private final CorpusPlanner planner;
  private Optional<String> leftOut = Optional.empty();

  /**
   * Checks the recipe against the teacher and writes nothing.
   *
   * @throws io.stillhouse.error.StillhouseException if {@code teacher.path} is not a teacher, or
   *     the teacher lacks a layer whose targets the recipe requests
   */
  public CacheJob(SparkSession spark, Settings settings) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.teacher = teacher(storage, settings);
    this.name = settings.get(Options.TEACHER_NAME);
    this.cache = storage.requireExclusive(Options.CACHE.key(), settings.get(Options.CACHE));
    this.context = new CacheContext(spark, settings, storage, cache);
    this.choice = TargetRecipe.choice(settings, teacher.spec());
    this.window = Window.of(settings, names(choice.all()));
    this.shardSize = ShardSize.of(settings, choice, teacher.spec());
    this.planner = new CorpusPlanner(context, shardSize);
    if (spark.sparkContext().isLocal()) { // on a cluster, each task checks its own machine
      precision().requireProcessor(Options.CACHE_PRECISION.key());
    }
    this.check = ModelCheck.of(settings, "the teacher", teacher.spec()).requireReads();
    check.head();
  }

  /** Returns what the user should know before the run. */
  public List<String> notes() {
    return check.ignoresLabels()
        ? List.of(
            format(
                "corpus.label is '%s', but no labels are cached, because the head of the teacher is"
                    + " %s",
                settings.get(Options.CORPUS_LABEL), ModelCheck.described(teacher.spec().head())))
        : List.of();
  }

  private static HuggingFaceDirectory teacher(Storage storage, Settings settings)
      throws IOException {
    Path path = storage.requireExisting(Options.TEACHER.key(), settings.get(Options.TEACHER));
    return Models.openTeacher(storage.local(path));
  }

  /** Returns the number of tokens that a shard of a corpus holds. */
  public long shardTokens(double corpusTokens) {
    return shardSize.tokens((long) corpusTokens);
  }

  /**
   * Writes the inputs of all text into a directory that is not a cache, so that their size can be
   * measured.
   */
  public void writeInputs(Path directory) {
    planner.writeInputs(directory, new Path(settings.get(Options.TEACHER)), teacher);
  }

  /** Opens or plans the cache, and computes every shard that lacks a column. */
  public CacheRecord run() throws IOException {
    try {
      return openAndCompute();
    } catch (Exception e) { // Spark throws checked exceptions that it does not declare
      DiskFull.explain(e, storage, cache);
      throw e;
    }
  }

  private CacheRecord openAndCompute() throws IOException {
    long start = System.nanoTime();
    OpenCache open = openOrCreate();
    ManifestLog manifest = open.manifest();
    try (Lease lease = Lease.acquire(storage, cache)) {
      CachePlan plan = update(open);
      int droppedBefore = manifest.state().dropped().size();
      RollingWindow rolling = rollingWindow(manifest, lease);
      List<TeacherTask> tasks = missing(plan, manifest);
      double planning = secondsSince(start);
      TeacherStage.Totals totals = compute(plan, manifest, tasks, rolling);
      double computing = secondsSince(start) - planning - totals.loadSeconds();
      CacheRecord record =
          new CacheSummary(cache, name, columns(manifest))
              .record(plan, manifest, totals, planning, computing);
      if (!tasks.isEmpty()
          || record.droppedShards() > droppedBefore
          || CacheRecord.last(storage, cache, name) == null) {
        record.write(storage, cache, name);
      }
      return record;
    }
  }

  private static double secondsSince(long start) {
    return (System.nanoTime() - start) / 1e9;
  }

  /** Opens the cache; the first teacher's run plans it if it does not exist. */
  private OpenCache openOrCreate() throws IOException {
    if (!name.isEmpty() && !storage.exists(cache)) {
      throw Errors.invalid(
          format(
              "cache.path '%s' does not exist, so teacher.name '%s' cannot be added to it",
              cache, name),
          "build the cache with its first teacher, which has no name, or correct cache.path");
    }
    return OpenCache.openOrCreate(context, planner, teacher, window);
  }

  /** Restores what the cache has lost, adds this teacher and new text, and returns the plan. */
  private CachePlan update(OpenCache open) throws IOException {
    OpenCache.Restored restored = name.isEmpty() ? open.restore() : open.restore(name);
    if (!restored.hasNewText()) {
      return restored.plan();
    }
    requireSameColumnsForNewText();
    return open.grow(restored);
  }

  /**
   * Requires that the recipe computes the recorded columns for new text. Columns do not record how
   * masked-LM soft labels are stored, so the recipe must specify it.
   */
  private void requireSameColumnsForNewText() throws IOException {
    List<Column> recorded = recordedColumns();
    List<String> missingColumns = new ArrayList<>(names(recorded));
    missingColumns.removeAll(names(choice.withLayersOf(recorded).all()));
    if (!missingColumns.isEmpty()) {
      throw Errors.invalid(
          format(
              "cache '%s' has %s, which this recipe does not compute for new files",
              cache, String.join(", ", missingColumns)),
          "use the targets.mlm-* settings that those columns were computed with");
    }
  }

  private @Nullable RollingWindow rollingWindow(ManifestLog manifest, Lease lease)
      throws IOException {
    if (window == null) {
      return null;
    }
    RollingWindow rolling = new RollingWindow(storage, cache, manifest, lease, window.shards());
    rolling.move(Set.of());
    return rolling;
  }

  /** Returns a task for every shard that lacks a column that was requested or lost. */
  private List<TeacherTask> missing(CachePlan plan, ManifestLog manifest) throws IOException {
    TeacherTask.PassOptions pass =
        new TeacherTask.PassOptions(
            name,
            settings.get(Options.CACHE_BATCH_TOKENS),
            precision(),
            spark.sparkContext().conf().getInt("spark.task.cpus", 1),
            settings.get(Options.CACHE_SEED));
    TargetChoice wanted = choice.withLayersOf(recordedColumns());
    List<TeacherTask> tasks = new ArrayList<>();
    for (PlanPart.Shard shard : plan.shards()) {
      int number = shard.shard();
      if (manifest.state().isDropped(number)) {
        continue;
      }
      Set<String> missing =
          wanted.all().stream()
              .filter(column -> !manifest.state().has(number, name, column))
              .map(Column::name)
              .collect(Collectors.toCollection(TreeSet::new));
      if (!missing.isEmpty()) {
        CacheFile inputs = manifest.state().inputs(number).orElseThrow();
        TargetChoice missingTargets =
            wanted.without(column -> manifest.state().has(number, name, column));
        tasks.add(new TeacherTask(cache.toString(), inputs, missingTargets, missing, pass));
      }
    }
    return tasks;
  }

  private TeacherStage.Totals compute(
      CachePlan plan,
      ManifestLog manifest,
      List<TeacherTask> tasks,
      @Nullable RollingWindow rolling)
      throws IOException {
    TeacherStage.Totals totals = TeacherStage.Totals.NONE;
    if (tasks.isEmpty()) {
      LOG.debug("cache '{}' lacks no targets of this recipe", cache);
    } else {
      totals =
          new TeacherStage(spark, manifest, name, () -> requireFewInvalid(plan, manifest))
              .run(plan, tasks, rolling);
    }
    // An earlier run may have stopped after its last shard because of too many invalid rows.
    requireFewInvalid(plan, manifest);
    leftOut =
        InvalidRowPolicy.line(planner.invalid(plan, manifest.state(), name), plan.corpus().rows());
    return totals;
  }

  private void requireFewInvalid(CachePlan plan, ManifestLog manifest) throws IOException {
    planner.requireFewInvalid(plan, manifest.state(), name);
  }

  /** Returns how many rows the last run left without targets, and why; empty if none. */
  public Optional<String> leftOut() {
    return leftOut;
  }

  /** Returns the columns of every shard, including dropped shards. */
  private List<String> columns(ManifestLog manifest) {
    return window == null ? List.copyOf(manifest.state().columns(name)) : window.columns();
  }

  /** Returns the columns that the last finished run recorded. */
  private List<Column> recordedColumns() throws IOException {
    CacheRecord last = CacheRecord.last(storage, cache, name);
    return last == null ? List.of() : last.columns().stream().map(Targets::named).toList();
  }

  private Precision precision() {
    return Precision.of(settings.get(Options.CACHE_PRECISION));
  }

  private static List<String> names(List<Column> columns) {
    return columns.stream().map(Column::name).toList();
  }
}

package io.stillhouse.jobs.cache.build;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.CachedTeacher;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.cache.layout.Lease;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.layout.TargetRecipe;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.layout.Window;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.corpus.CorpusFiles;
import io.stillhouse.jobs.storage.DiskFull;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.Precision;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.TargetChoice;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Job 1: runs a teacher once over the corpus and writes its targets; a restart computes what the
 * manifest lacks, and so does a recipe with more text, more targets or another teacher.
 */
public final class CacheJob {
  private static final long SHARD_BYTES = 256L << 20;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final HuggingFaceDirectory teacher;
  private final String name;
  private final TargetChoice choice;
  private final @Nullable Window window;
  private final Planning planning;

  /**
   * Checks the recipe against the teacher; nothing is written yet.
   *
   * @throws io.stillhouse.error.StillhouseException if the teacher is not one, or lacks an asked
   *     layer
   */
  public CacheJob(SparkSession spark, Settings settings) throws IOException {
    this(spark, settings, teacher(spark, settings), settings.get(Options.TEACHER_NAME), null);
  }

  /**
   * Makes a job that writes rows of token ids and labels but no targets, under a given model's
   * tokenizer and head.
   */
  public static CacheJob inputsAlone(
      SparkSession spark, Settings settings, HuggingFaceDirectory model) {
    return new CacheJob(spark, settings, model, "", TargetChoice.nothing(Dtype.FLOAT32));
  }

  private CacheJob(
      SparkSession spark,
      Settings settings,
      HuggingFaceDirectory teacher,
      String name,
      TargetChoice choice) {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.cache = storage.requireExclusive(Options.CACHE.key(), settings.get(Options.CACHE));
    this.teacher = teacher;
    this.name = name;
    this.choice = choice == null ? TargetRecipe.choice(settings, teacher.spec()) : choice;
    this.window =
        choice == null
            ? Window.of(settings, this.choice.all().stream().map(Column::name).toList())
            : null;
    this.planning = new Planning(spark, settings, storage, cache, mostShardTokens());
    if (spark.sparkContext().isLocal()) { // elsewhere the tasks find out
      Precision.of(settings.get(Options.CACHE_PRECISION))
          .requireProcessor(Options.CACHE_PRECISION.key());
    }
    if (settings.get(Options.MAX_LENGTH) > teacher.spec().embeddings().maxPositions()) {
      throw Errors.badValue(
          Options.MAX_LENGTH.key(),
          "at most the teacher's positions, " + teacher.spec().embeddings().maxPositions(),
          settings.get(Options.MAX_LENGTH));
    }
  }

  /**
   * Returns the most tokens of a shard: fewer than the recipe says where their targets would pass
   * {@link #SHARD_BYTES}, since training holds a shard or two in memory.
   */
  private long mostShardTokens() {
    int length = settings.get(Options.MAX_LENGTH);
    long rowBytes = Math.max(1, choice.cellBytes(length, teacher.spec()));
    return Math.min(
        settings.get(Options.SHARD_TOKENS), Math.max(length, SHARD_BYTES * length / rowBytes));
  }

  /** Returns the tokens of a shard of a corpus. */
  public long shardTokens(double corpusTokens) {
    return Planner.shardTokens(mostShardTokens(), (long) corpusTokens);
  }

  private static HuggingFaceDirectory teacher(SparkSession spark, Settings settings)
      throws IOException {
    Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
    Path given = storage.requireExisting("teacher.path", settings.get(Options.TEACHER));
    return HuggingFaceDirectory.open(storage.local(given));
  }

  /** Plans if there is no plan yet, then computes every shard that misses a column. */
  public CacheRecord run() throws IOException {
    try {
      return planAndCompute();
    } catch (Exception e) { // Spark throws checked ones that it does not declare
      DiskFull.explain(e, storage, cache);
      throw e;
    }
  }

  private CacheRecord planAndCompute() throws IOException {
    long start = System.nanoTime();
    CorpusFiles corpus = CorpusFiles.list(Recipe.corpus(settings).paths(), storage.hadoop());
    List<CorpusFile> hashed = CorpusFile.hash(storage, corpus);
    Map<String, String> fingerprints = Fingerprints.of(settings, storage, teacher, hashed);
    if (!storage.exists(cache)) {
      requireFirst();
      planning.begin(teacher, fingerprints, corpus, hashed, window);
    }
    ManifestLog manifest = ManifestLog.survey(storage, cache);
    Repair repair = new Repair(storage, cache, manifest);
    try (Lease lease = Lease.take(storage, cache)) {
      CachePlan plan = open(manifest, repair, fingerprints, corpus, hashed);
      RollingWindow rolling =
          window == null
              ? null
              : new RollingWindow(storage, cache, manifest, lease, window.shards());
      return compute(plan, manifest, rolling, start);
    }
  }

  private CacheRecord compute(
      CachePlan plan, ManifestLog manifest, @Nullable RollingWindow rolling, long start)
      throws IOException {
    int dropped = manifest.state().dropped().size();
    if (rolling != null) {
      rolling.move(Set.of());
    }
    List<TeacherTask> tasks = tasks(plan, manifest);
    double planned = (System.nanoTime() - start) / 1e9;
    TeacherStage.Ran ran =
        tasks.isEmpty()
            ? new TeacherStage.Ran(0, 0, 0, 0)
            : new TeacherStage(spark, invalid -> planning.requireFewInvalid(plan.corpus(), invalid))
                .run(plan, manifest, name, tasks, rolling);
    // Once more: a run before this one may have ended by it, its units finished.
    planning.requireFewInvalid(plan.corpus(), manifest.state().invalidRows(name));
    double computing = (System.nanoTime() - start) / 1e9 - planned - ran.loadSeconds();
    long bytes =
        manifest.state().droppedBytes()
            + manifest.state().files().stream().mapToLong(file -> file.size().bytes()).sum();
    CacheRecord result =
        new CacheRecord(
            cache.toString(),
            new CacheRecord.Corpus(
                plan.corpus().rows(),
                plan.corpus().tokens(),
                plan.shards().size(),
                plan.corpus().blankRows(),
                plan.corpus().invalidRows() + manifest.state().invalidRows(name)),
            window == null ? List.copyOf(manifest.state().columns(name)) : window.columns(),
            manifest.entries(),
            new CacheRecord.Size(bytes, (double) bytes / plan.corpus().tokens()),
            new CacheRecord.Run(
                ran.shards(),
                new CacheRecord.Seconds(planned, ran.loadSeconds(), computing),
                ran.tokens() / computing,
                ran.rows() / computing),
            manifest.state().dropped().size());
    if (!tasks.isEmpty()
        || result.droppedShards() > dropped
        || CacheRecord.last(storage, cache, name) == null) {
      result.write(storage, cache, name);
    }
    return result;
  }

  /** Restores what a cache has lost, and returns its plan, which holds the recipe's text. */
  private CachePlan open(
      ManifestLog manifest,
      Repair repair,
      Map<String, String> fingerprints,
      CorpusFiles corpus,
      List<CorpusFile> hashed)
      throws IOException {
    CachedTeacher known = repair.teachers().get(name);
    CachedTeacher other = name.isEmpty() || known != null ? known : joining(fingerprints);
    CachePlan plan = other == null ? repair.plan() : repair.plan().of(other);
    plan.requireSame(cache, fingerprints);
    requireSameWindow(plan);
    CorpusMatch match = new CorpusMatch(cache, repair.parts(), corpus, hashed);
    manifest.requireSound();
    plan.requireAllShards(cache, manifest.state());
    if (name.isEmpty()) {
      repair.restoreTeacher(TeacherFolder.model(cache, name), plan.teacherFiles(), teacher);
    }
    repair.restore((directory, part) -> planning.again(directory, part, match.of(part)));
    if (other != null) {
      if (known == null) {
        new TeacherFit(CacheReader.teacher(storage, cache), teacher, name)
            .require(storage, cache, manifest);
        manifest.append(new ManifestChange.TeacherAdded(other));
        storage.writeText(other.file(cache), other.toJson());
      }
      repair.restoreTeacher(TeacherFolder.model(cache, name), other.files(), teacher);
    }
    if (!match.added().isEmpty()) {
      requireNoWindow("cannot grow by more text");
      requireAllKept();
      Growing growing = new Growing(spark, settings, storage, cache, planning);
      plan = growing.grow(plan, manifest, match);
    }
    return plan;
  }

  /** Writes the rows of a corpus into a directory as a cache holds them, without a cache around. */
  public void writeInputsAlone(Path directory) {
    planning.alone(directory, new Path(settings.get(Options.TEACHER)), teacher);
  }

  /** How masked-LM soft labels are kept is the recipe's to say: columns do not tell it. */
  private void requireAllKept() throws IOException {
    List<Column> kept = recorded();
    List<String> lost = new ArrayList<>(kept.stream().map(Column::name).toList());
    lost.removeAll(choice.withLayersOf(kept).all().stream().map(Column::name).toList());
    if (!lost.isEmpty()) {
      throw Errors.invalid(
          "cache '%s' has %s, which this recipe does not compute for new files"
              .formatted(cache, String.join(", ", lost)),
          "give it the targets.mlm-* settings that those were made with");
    }
  }

  private void requireSameWindow(CachePlan plan) {
    if (!name.isEmpty() && plan.window() != null) {
      requireNoWindow("keeps the targets of one teacher");
    }
    Window.requireSame(cache, plan.window(), window);
  }

  private void requireNoWindow(String why) {
    if (window != null) {
      throw Errors.invalid(
          "cache '%s' has a window (%s) and %s, since shards that are dropped are not computed again"
              .formatted(cache, Options.CACHE_WINDOW.key(), why),
          "make another cache for it");
    }
  }

  private void requireFirst() {
    if (!name.isEmpty()) {
      throw Errors.invalid(
          "cache.path '%s' does not exist, and teacher.name '%s' is another teacher of a cache"
              .formatted(cache, name),
          "make the cache with its first teacher, which has no name, or correct cache.path");
    }
  }

  private CachedTeacher joining(Map<String, String> fingerprints) throws IOException {
    return CachedTeacher.of(name, fingerprints, Fingerprints.directory(storage, teacher.path()));
  }

  /** Returns a task for every shard that lacks a column, asked for now or lost since. */
  private List<TeacherTask> tasks(CachePlan plan, ManifestLog manifest) throws IOException {
    TeacherTask.Run run =
        new TeacherTask.Run(
            name,
            settings.get(Options.CACHE_BATCH_TOKENS),
            Precision.of(settings.get(Options.CACHE_PRECISION)),
            spark.sparkContext().conf().getInt("spark.task.cpus", 1),
            settings.get(Options.CACHE_SEED));
    TargetChoice wanted = choice.withLayersOf(recorded());
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
        tasks.add(
            new TeacherTask(
                cache.toString(),
                inputs,
                wanted.without(column -> manifest.state().has(number, name, column)),
                missing,
                run));
      }
    }
    return tasks;
  }

  /** Returns the columns that the last finished run left. */
  private List<Column> recorded() throws IOException {
    CacheRecord last = CacheRecord.last(storage, cache, name);
    return last == null ? List.of() : last.columns().stream().map(Targets::named).toList();
  }
}

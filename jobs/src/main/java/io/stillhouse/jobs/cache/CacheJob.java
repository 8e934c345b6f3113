package io.stillhouse.jobs.cache;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Recipe;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.Progress;
import io.stillhouse.jobs.spark.RunningTasks;
import io.stillhouse.jobs.spark.Watch;
import io.stillhouse.jobs.text.Corpus;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Family;
import io.stillhouse.target.TargetChoice;
import io.stillhouse.target.Targets;
import io.stillhouse.text.Segmenter;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction1;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * Job 1: runs the teacher once over the corpus and writes its targets; a restart computes what the
 * manifest lacks.
 */
public final class CacheJob {
  /** The teacher's directory inside a cache. */
  public static final String TEACHER = "teacher";

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final HuggingFaceDirectory teacher;
  private final TargetChoice choice;

  /** What a run did. */
  public record Result(
      String cache,
      long rows,
      long tokens,
      int units,
      long blankRows,
      int computedUnits,
      long bytes,
      double bytesPerToken,
      double seconds,
      double tokensPerSecond) {}

  /**
   * Checks the recipe against the teacher; nothing is written yet.
   *
   * @throws io.stillhouse.error.StillhouseException if the teacher is not one, or lacks an asked
   *     layer
   */
  public CacheJob(SparkSession spark, Settings settings) throws IOException {
    this(spark, settings, teacher(spark, settings), null);
  }

  /**
   * Makes a job that writes rows of token ids and labels but no targets, under a given model's
   * tokenizer and head.
   */
  public static CacheJob inputsAlone(
      SparkSession spark, Settings settings, HuggingFaceDirectory model) {
    return new CacheJob(
        spark,
        settings,
        model,
        new TargetChoice(Dtype.FLOAT32, TargetChoice.Logits.NONE, List.of(), List.of()));
  }

  private CacheJob(
      SparkSession spark, Settings settings, HuggingFaceDirectory teacher, TargetChoice choice) {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.cache = storage.requireExclusive(Options.CACHE.key(), settings.get(Options.CACHE));
    this.teacher = teacher;
    this.choice = choice == null ? choice(settings, teacher.spec()) : choice;
    if (settings.get(Options.MAX_LENGTH) > teacher.spec().embeddings().maxPositions()) {
      throw Errors.badValue(
          Options.MAX_LENGTH.key(),
          "at most the teacher's positions, " + teacher.spec().embeddings().maxPositions(),
          settings.get(Options.MAX_LENGTH));
    }
  }

  private static HuggingFaceDirectory teacher(SparkSession spark, Settings settings)
      throws IOException {
    Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
    Path given = storage.requireExisting("teacher.path", settings.get(Options.TEACHER));
    return HuggingFaceDirectory.open(storage.local(given));
  }

  /** Returns what the recipe stores of a teacher of that shape. */
  static TargetChoice choice(Settings settings, ModelSpec teacher) {
    List<Integer> hidden = new ArrayList<>(settings.get(Options.TARGETS_HIDDEN));
    List<Integer> attention = settings.get(Options.TARGETS_ATTENTION);
    List<String> problems = new ArrayList<>();
    if (hidden.stream().anyMatch(layer -> layer > teacher.layers())) {
      problems.add(
          "targets.hidden %s names a layer the teacher lacks; it has hidden states 0..%d"
              .formatted(hidden, teacher.layers()));
    }
    if (attention.stream().anyMatch(block -> block < 1 || block > teacher.layers())) {
      problems.add(
          "targets.attention %s names a block the teacher lacks; it has blocks 1..%d"
              .formatted(attention, teacher.layers()));
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    boolean derived =
        teacher.head().task() == Task.MASKED_LM
            && settings.get(Options.MLM_LOGITS).equals("derived");
    if (derived) {
      hidden.add(teacher.layers());
    }
    if (hidden.isEmpty() && attention.isEmpty() && !teacher.head().task().pooled()) {
      throw Errors.invalid(
          "the recipe stores nothing: targets.hidden and targets.attention are empty, and a teacher of head %s has no logits to store"
              .formatted(teacher.head().task()),
          "name layers, such as targets.hidden=[%d]".formatted(teacher.layers()));
    }
    return new TargetChoice(
        Dtype.of(settings.get(Options.TARGETS_DTYPE)),
        teacher.head().task().pooled() ? TargetChoice.Logits.STORED : TargetChoice.Logits.NONE,
        hidden,
        attention);
  }

  /** Plans if there is no plan yet, then computes every unit that misses a column. */
  public Result run() throws IOException {
    try {
      return planAndCompute();
    } catch (Exception e) { // Spark throws checked ones that it does not declare
      DiskFull.explain(e, storage, cache);
      throw e;
    }
  }

  private Result planAndCompute() throws IOException {
    long start = System.nanoTime();
    Plan plan = storage.exists(new Path(cache, Plan.FILE)) ? resume() : plan();
    Manifest manifest = Manifest.read(storage, cache);
    List<TeacherTask> tasks = tasks(plan, manifest);
    computeAll(plan, manifest, tasks);
    double seconds = (System.nanoTime() - start) / 1e9;
    long bytes = manifest.files().stream().mapToLong(file -> file.size().bytes()).sum();
    long computed = tasks.stream().mapToLong(task -> task.inputs().size().tokens()).sum();
    Result result =
        new Result(
            cache.toString(),
            plan.corpus().rows(),
            plan.corpus().tokens(),
            plan.units().size(),
            plan.corpus().blankRows(),
            tasks.size(),
            bytes,
            (double) bytes / plan.corpus().tokens(),
            seconds,
            computed / seconds);
    Path record = new Path(cache, "cache.json");
    if (!tasks.isEmpty() || !storage.exists(record)) {
      storage.writeJson(record, result);
    }
    return result;
  }

  private Plan resume() throws IOException {
    Plan plan = Plan.read(storage, cache);
    plan.requireSame(cache, fingerprints());
    return plan;
  }

  /**
   * Plans in a directory of this run's own beside the cache and renames it into place, so that a
   * cache always has its plan, and of two runs that plan at once one wins.
   */
  private Plan plan() throws IOException {
    if (storage.exists(cache) && !storage.exists(new Path(cache, Plan.FILE))) {
      throw Errors.invalid(
          "cache.path '%s' exists but is not a cache: it has no %s".formatted(cache, Plan.FILE),
          "name a path that does not exist yet");
    }
    CorpusSpec spec = Recipe.corpus(settings);
    Corpus corpus = Corpus.read(spark, spec);
    Map<String, String> fingerprints = fingerprints();
    Staging staging = new Staging(storage, cache);
    try {
      Path home = new Path(staging.directory(), TEACHER);
      storage.publish(teacher.path(), home);
      Planner.Planned planned =
          new Planner(
                  spark,
                  staging.directory(),
                  settings.get(Options.UNIT_TOKENS),
                  settings.get(Options.SEED))
              .write(corpus, tokenising(home.toString(), spec));
      if (planned.rows() == 0) {
        throw Errors.invalid(
            "no row of the corpus %s holds a token".formatted(spec.paths()),
            "name files with text");
      }
      Plan plan =
          new Plan(
              Targets.VERSION,
              fingerprints,
              planned.files().stream()
                  .map(file -> new Plan.Unit(file.unit(), file.size().rows(), file.size().tokens()))
                  .toList(),
              new Plan.Read(planned.rows(), planned.tokens(), corpus.blankRows()));
      Manifest.read(storage, staging.directory()).append(planned.files());
      storage.writeJson(new Path(staging.directory(), Plan.FILE), plan);
      staging.becomeTheCache();
      return plan;
    } catch (Exception e) { // Spark throws checked ones that it does not declare
      staging.requireStillNoCache(e);
      throw e;
    } finally {
      staging.delete();
    }
  }

  private Tokenising tokenising(String home, CorpusSpec spec) {
    Head head = teacher.spec().head();
    boolean labelled = Recipe.labelled(settings) && head.task().pooled();
    return new Tokenising(
        home,
        new Tokenising.Labels(head.task(), head.labels(), labelled),
        cut(settings, spec),
        head.task() == Task.MASKED_LM
            ? new Tokenising.Mask(
                settings.get(Options.MASK_PROBABILITY),
                settings.get(Options.MASK_VARIANTS),
                settings.get(Options.SEED))
            : null);
  }

  /**
   * Returns how a recipe cuts texts into rows: prose into windows, tables not at all, unless it
   * says otherwise.
   */
  public static Tokenising.Cut cut(Settings settings, CorpusSpec spec) {
    String segment = settings.get(Options.CORPUS_SEGMENT);
    boolean prose = spec.columns().text() == null && spec.columns().pair() == null;
    Segmenter.Mode mode =
        segment.equals("auto")
            ? prose ? Segmenter.Mode.WINDOWS : Segmenter.Mode.ROW
            : Segmenter.Mode.valueOf(segment.toUpperCase(Locale.ROOT));
    String tooLong = settings.get(Options.CORPUS_TOO_LONG);
    Segmenter.TooLong policy =
        tooLong.equals("auto")
            ? prose ? Segmenter.TooLong.SPLIT : Segmenter.TooLong.TRUNCATE
            : Segmenter.TooLong.valueOf(tooLong.toUpperCase(Locale.ROOT));
    return new Tokenising.Cut(mode, policy, settings.get(Options.MAX_LENGTH));
  }

  /** Returns everything that the cache's bytes depend on, by name. */
  private Map<String, String> fingerprints() throws IOException {
    Map<String, String> all = new TreeMap<>();
    for (io.stillhouse.config.Option<?> option :
        List.of(
            Options.CORPUS_FORMAT,
            Options.CORPUS_HEADER,
            Options.CORPUS_TEXT,
            Options.CORPUS_PAIR,
            Options.CORPUS_LABEL,
            Options.CORPUS_ID,
            Options.CORPUS_LIMIT,
            Options.CORPUS_SEGMENT,
            Options.CORPUS_TOO_LONG,
            Options.MAX_LENGTH,
            Options.UNIT_TOKENS,
            Options.CACHE_BATCH_TOKENS,
            Options.TARGETS_DTYPE,
            Options.MASK_PROBABILITY,
            Options.MASK_VARIANTS,
            Options.SEED)) {
      all.put(option.key(), String.valueOf(settings.get(option)));
    }
    all.put("corpus.sha256", corpusFingerprint());
    all.put("teacher.sha256", teacherFingerprint(storage, teacher.path()));
    return all;
  }

  private String corpusFingerprint() throws IOException {
    java.security.MessageDigest digest = Storage.digest();
    for (String given : settings.get(Options.CORPUS_PATH)) {
      Path path = new Path(given);
      org.apache.hadoop.fs.FileStatus[] found = storage.fileSystem(path).globStatus(path);
      if (found == null || found.length == 0) {
        throw Errors.noSuchPath("corpus.path", given);
      }
      for (org.apache.hadoop.fs.FileStatus status : found) {
        for (Path file : files(status)) {
          digest.update(storage.sha256(file).getBytes(java.nio.charset.StandardCharsets.UTF_8));
        }
      }
    }
    return java.util.HexFormat.of().formatHex(digest.digest());
  }

  private List<Path> files(org.apache.hadoop.fs.FileStatus status) throws IOException {
    if (status.isFile()) {
      return List.of(status.getPath());
    }
    List<Path> files = new ArrayList<>();
    var all = storage.fileSystem(status.getPath()).listFiles(status.getPath(), true);
    while (all.hasNext()) {
      files.add(all.next().getPath());
    }
    files.sort(null);
    return files;
  }

  /** Returns a hash over a model's weights, config and tokenizer. */
  public static String teacherFingerprint(Storage storage, java.nio.file.Path directory)
      throws IOException {
    java.security.MessageDigest digest = Storage.digest();
    try (var files = java.nio.file.Files.list(directory)) {
      for (java.nio.file.Path file :
          files.filter(java.nio.file.Files::isRegularFile).sorted().toList()) {
        if (file.getFileName().toString().matches(".*\\.(safetensors|json|txt)")) {
          digest.update(
              (file.getFileName() + storage.sha256(new Path(file.toUri())))
                  .getBytes(java.nio.charset.StandardCharsets.UTF_8));
        }
      }
    }
    return java.util.HexFormat.of().formatHex(digest.digest());
  }

  /** Returns a task for every unit that lacks an asked column. */
  private List<TeacherTask> tasks(Plan plan, Manifest manifest) {
    TeacherTask.Run run =
        new TeacherTask.Run(
            settings.get(Options.CACHE_BATCH_TOKENS),
            spark.sparkContext().conf().getInt("spark.task.cpus", 1));
    List<TeacherTask> tasks = new ArrayList<>();
    for (Plan.Unit unit : plan.units()) {
      CacheFile inputs =
          manifest
              .find(unit.unit(), Family.INPUTS, Targets.ID)
              .orElseThrow(
                  () -> new IllegalStateException("unit %d has no inputs".formatted(unit.unit())));
      TargetChoice missing =
          new TargetChoice(
              choice.dtype(),
              choice.logits() == TargetChoice.Logits.STORED && !has(manifest, unit, Targets.LOGITS)
                  ? TargetChoice.Logits.STORED
                  : TargetChoice.Logits.NONE,
              choice.hidden().stream()
                  .filter(layer -> !has(manifest, unit, Targets.hidden(layer)))
                  .toList(),
              choice.attention().stream()
                  .filter(block -> !has(manifest, unit, Targets.attention(block)))
                  .toList());
      if (!missing.all().isEmpty()) {
        tasks.add(new TeacherTask(cache.toString(), inputs, missing, run));
      }
    }
    return tasks;
  }

  private static boolean has(Manifest manifest, Plan.Unit unit, Column column) {
    return manifest.find(unit.unit(), column.family(), column).isPresent();
  }

  private void computeAll(Plan plan, Manifest manifest, List<TeacherTask> tasks)
      throws IOException {
    if (tasks.isEmpty()) {
      return;
    }
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobGroup("cache", "teacher targets of %d units".formatted(tasks.size()), true);
    LongAccumulator done = spark.sparkContext().longAccumulator("teacher tokens");
    long tokens = tasks.stream().mapToLong(task -> task.inputs().size().tokens()).sum();
    long before = plan.corpus().tokens() - tokens;
    JavaRDD<TeacherTask> rdd = context.parallelize(tasks, tasks.size());
    try (Progress progress = Progress.resume("cache", before, plan.corpus().tokens(), "tokens");
        RunningTasks running = new RunningTasks(spark.sparkContext(), done);
        Watch watch = new Watch(() -> progress.update(before + done.value() + running.sum()))) {
      spark
          .sparkContext()
          .runJob(
              rdd.rdd(),
              new Compute(done),
              new Append(manifest),
              ClassTag$.MODULE$.apply(CacheFile[].class));
    }
  }

  /** The work of one task. */
  private static final class Compute
      extends AbstractFunction1<scala.collection.Iterator<TeacherTask>, CacheFile[]>
      implements Serializable {
    private static final long serialVersionUID = 1L;
    private final LongAccumulator tokens;

    Compute(LongAccumulator tokens) {
      this.tokens = tokens;
    }

    @Override
    public CacheFile[] apply(scala.collection.Iterator<TeacherTask> tasks) {
      List<CacheFile> files = new ArrayList<>();
      try {
        while (tasks.hasNext()) {
          files.addAll(tasks.next().compute(tokens::add));
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return files.toArray(CacheFile[]::new);
    }
  }

  /** Runs on the driver as each task ends, so that a unit counts as soon as it is finished. */
  private static final class Append extends AbstractFunction2<Object, CacheFile[], BoxedUnit> {
    private final Manifest manifest;

    Append(Manifest manifest) {
      this.manifest = manifest;
    }

    @Override
    public BoxedUnit apply(Object partition, CacheFile[] files) {
      CrashPoint.FINISHED.reached();
      try {
        manifest.append(List.of(files));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return BoxedUnit.UNIT;
    }
  }
}

package io.stillhouse.jobs.train;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Recipe;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.Progress;
import io.stillhouse.jobs.cache.CacheReader;
import io.stillhouse.jobs.cache.InputRow;
import io.stillhouse.jobs.cache.Storage;
import io.stillhouse.jobs.cache.TargetRecipe;
import io.stillhouse.jobs.cache.TeacherFolder;
import io.stillhouse.jobs.spark.RunningTasks;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.spark.Watch;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Column;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.train.StepReport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import scala.Tuple2;

/** Job 2: trains a student, and its undistilled twin, from the cache alone. */
public final class TrainJob {
  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final HuggingFaceDirectory teacher;
  private final Set<Column> columns;
  private final List<StudentRun> runs;
  private final List<String> notes = new ArrayList<>();

  /** What a run made. */
  public record Result(
      List<TrainTask.Trained> students, List<String> alreadyTrained, List<String> notes) {}

  /**
   * Checks the recipe against the cache; nothing is written yet.
   *
   * @throws io.stillhouse.error.StillhouseException if the depths do not fit, the cache lacks a
   *     column, or there are no labels
   */
  public TrainJob(SparkSession spark, Settings settings) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.cache = storage.requireExisting("cache.path", settings.get(Options.CACHE));
    String teacherName = settings.get(Options.TEACHER_NAME);
    CacheReader reader = CacheReader.open(storage, cache, teacherName, List.of());
    reader.requireRecipe(settings);
    this.teacher = CacheReader.teacher(storage, cache, teacherName);
    ModelSpec student = Recipe.student(settings, teacher.spec());
    DistillSpec loss = Recipe.loss(settings, student, teacher.spec());
    StudentRun.Kept kept = kept(loss);
    this.columns = Reads.of(loss, teacher.spec(), kept, reader::has).columns();
    CacheReader.open(storage, cache, teacherName, columns);
    boolean labelled = labelled(reader);
    if (loss.hardLabel() != 0 && !labelled) {
      throw Errors.invalid(
          "loss.hard-label.weight is %s, but cache '%s' has no labels"
              .formatted(loss.hardLabel(), cache),
          "cache the corpus with corpus.label, or set the weight to 0");
    }
    StudentRun.Start start = start(student);
    boolean twin = settings.get(Options.TWIN) && labelled && !hardLabelsAlone(loss);
    // On one machine twins and workers share the cores.
    int tasks = (twin ? 2 : 1) * settings.get(Options.WORKERS);
    int cores = Sessions.coresOfOneTask(spark) / (spark.sparkContext().isLocal() ? tasks : 1);
    TrainSpec train = Recipe.train(settings, Math.max(1, cores));
    StudentRun.Places places =
        new StudentRun.Places(
            cache.toString(),
            teacherName,
            kept,
            heldOut(reader, loss, kept),
            storage.qualify(settings.get(Options.TRAIN_PATH)).toString(),
            reader.plan().fingerprints());
    String name = settings.get(Options.STUDENT_NAME);
    this.runs = new ArrayList<>();
    runs.add(new StudentRun(name, student, loss, train, start, places));
    if (settings.get(Options.TWIN) && !labelled) {
      notes.add("the cache has no labels, so %s has no undistilled twin".formatted(name));
    }
    if (twin) {
      runs.add(
          new StudentRun(
              name.equals("distilled") ? "undistilled" : name + "-undistilled",
              student,
              loss.undistilled(),
              train,
              start,
              places));
    }
  }

  /** Makes a job of given runs, for finetune. */
  TrainJob(SparkSession spark, Settings settings, HuggingFaceDirectory teacher, StudentRun run) {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.cache = new Path(run.places().cache());
    this.teacher = teacher;
    this.columns = Set.of();
    this.runs = List.of(run);
  }

  /** Returns the cache of held-out rows, or null if the recipe names none. */
  private @Nullable String heldOut(CacheReader reader, DistillSpec loss, StudentRun.Kept kept)
      throws IOException {
    if (settings.get(Options.HELD_OUT).isEmpty()) {
      return null;
    }
    Path path = storage.requireExisting(Options.HELD_OUT.key(), settings.get(Options.HELD_OUT));
    String name = settings.get(Options.TEACHER_NAME);
    CacheReader heldOut = CacheReader.open(storage, path, name, List.of());
    if (!heldOut.plan().teacherFiles().equals(reader.plan().teacherFiles())) {
      throw Errors.invalid(
          "train.held-out '%s' was made with another teacher than cache '%s'"
              .formatted(path, cache),
          "cache the held-out rows with the same teacher.path");
    }
    CacheReader.open(
        storage, path, name, Reads.of(loss, teacher.spec(), kept, heldOut::has).columns());
    return path.toString();
  }

  /** Returns the tensor columns that the student reads of the cache; its twin reads none. */
  public Set<Column> columns() {
    return Set.copyOf(columns);
  }

  /** Returns whether student and twin train after each other, not side by side. */
  public boolean inTurn() {
    int cpus = spark.sparkContext().conf().getInt("spark.task.cpus", 1);
    return spark.sparkContext().defaultParallelism() / cpus < runs.size();
  }

  private StudentRun.Kept kept(DistillSpec loss) {
    MlmTargets mlm = TargetRecipe.mlm(settings, teacher.spec());
    if (teacher.spec().head().task() == Task.MASKED_LM && loss.softLabel().weight() != 0) {
      TargetRecipe.requireServes(mlm, loss.softLabel());
    }
    return new StudentRun.Kept(
        mlm,
        StudentRun.Scores.valueOf(settings.get(Options.TARGETS_SCORES).toUpperCase(Locale.ROOT)));
  }

  private static boolean hardLabelsAlone(DistillSpec loss) {
    return loss.softLabel().weight() == 0
        && loss.studentHidden().isEmpty()
        && loss.studentBlocks().isEmpty();
  }

  private boolean labelled(CacheReader reader) throws IOException {
    if (teacher.spec().head().task() == Task.NONE) {
      return false;
    }
    List<InputRow> rows = reader.inputs(0);
    return teacher.spec().head().task() == Task.MASKED_LM
        ? rows.stream().anyMatch(row -> row.mlmLabels() != null)
        : rows.stream().allMatch(row -> row.label() != null);
  }

  private StudentRun.Start start(ModelSpec student) throws IOException {
    String init = settings.get(Options.STUDENT_INIT);
    if (init.equals("random")) {
      return new StudentRun.Start(null, List.of());
    }
    if (init.equals("teacher")) {
      if (student.hiddenSize() != teacher.spec().hiddenSize()
          || student.blocks().intermediateSize() != teacher.spec().blocks().intermediateSize()) {
        throw Errors.invalid(
            "student.init is teacher, but the student's width (%d, %d inside) is not the teacher's (%d, %d)"
                .formatted(
                    student.hiddenSize(),
                    student.blocks().intermediateSize(),
                    teacher.spec().hiddenSize(),
                    teacher.spec().blocks().intermediateSize()),
            "set student.init=random, or the widths to the teacher's");
      }
      return new StudentRun.Start(
          TeacherFolder.model(cache, settings.get(Options.TEACHER_NAME)).toString(),
          Recipe.initLayers(settings, student, teacher.spec()));
    }
    Path given = storage.requireExisting("student.init", init);
    HuggingFaceDirectory from = HuggingFaceDirectory.open(storage.local(given));
    if (from.spec().layers() < student.layers()) {
      throw Errors.invalid(
          "student.init '%s' has %d layers, the student %d"
              .formatted(init, from.spec().layers(), student.layers()),
          "start from a model at least as deep");
    }
    List<Integer> blocks =
        settings.get(Options.INIT_LAYERS).isEmpty()
            ? IntStream.rangeClosed(1, student.layers()).boxed().toList()
            : Recipe.initLayers(settings, student, from.spec());
    return new StudentRun.Start(given.toString(), blocks);
  }

  /**
   * Trains every student that is not there yet; each is one task, and resumes from its newest
   * checkpoint.
   */
  public Result run() throws IOException {
    List<StudentRun> wanted = new ArrayList<>();
    List<String> done = new ArrayList<>();
    for (StudentRun run : runs) {
      if (finished(run)) {
        done.add(run.name());
      } else {
        wanted.add(run);
      }
    }
    List<TrainTask.Trained> trained = wanted.isEmpty() ? List.of() : trainAll(wanted);
    Result result = new Result(trained, done, notes);
    if (!trained.isEmpty()) {
      storage.writeJson(
          new Path(
              new Path(runs.get(0).places().students()), "train-" + runs.get(0).name() + ".json"),
          Map.of("result", result, "recipe", settings.inForce()));
    }
    return result;
  }

  private boolean finished(StudentRun run) throws IOException {
    if (!storage.exists(run.directory())) {
      return false;
    }
    Path record = new Path(run.directory(), "training.json");
    String fingerprint =
        storage.exists(record)
            ? Storage.JSON.fromJson(storage.readText(record), TrainTask.Trained.class).fingerprint()
            : "";
    if (!fingerprint.equals(run.fingerprint())) {
      throw Errors.invalid(
          "'%s' holds a student of another recipe or cache".formatted(run.directory()),
          "choose another student.name, or delete that directory");
    }
    return true;
  }

  private List<TrainTask.Trained> trainAll(List<StudentRun> wanted) throws IOException {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobGroup(
        "train",
        "students " + wanted.stream().map(StudentRun::name).collect(Collectors.joining(", ")),
        true);
    LatestSteps latest = new LatestSteps();
    spark.sparkContext().register(latest, "steps");
    long rows = rows();
    long total = wanted.stream().mapToLong(run -> run.train().steps(rows)).sum();
    Map<String, Long> begun = new TreeMap<>();
    for (StudentRun run : wanted) {
      begun.put(
          run.name(),
          new HadoopCheckpoints(storage, run.checkpoints(), History.empty()).newestStep());
    }
    try (Progress progress = Progress.resume("train", sum(begun), total, "steps");
        LiveMetrics live = LiveMetrics.open(settings, storage, wanted.get(0).places().students());
        RunningTasks running = new RunningTasks(spark.sparkContext(), latest);
        Watch watch = new Watch(() -> show(progress, live, begun, latest.with(running.values())))) {
      inRounds(context, wanted, latest, rows);
      return context
          .parallelize(wanted, wanted.size())
          .map(
              run ->
                  new TrainTask(
                          run,
                          RoundJob.interruptible(
                              step -> latest.add(new Tuple2<>(run.name(), step))))
                      .train())
          .collect();
    }
  }

  /** Trains those whose recipe has rounds, side by side, up to their last checkpoint. */
  private void inRounds(
      JavaSparkContext context, List<StudentRun> wanted, LatestSteps latest, long rows) {
    List<StudentRun> inRounds = wanted.stream().filter(run -> run.train().rounds().used()).toList();
    if (inRounds.isEmpty()) {
      return;
    }
    ExecutorService threads = Executors.newFixedThreadPool(inRounds.size());
    try {
      List<Future<?>> all = new ArrayList<>();
      for (StudentRun run : inRounds) {
        all.add(
            threads.submit(
                () -> {
                  new RoundJob(context, storage, run, latest).run(rows);
                  return null;
                }));
      }
      for (Future<?> one : all) {
        one.get();
      }
    } catch (ExecutionException e) {
      throw new IllegalStateException("a training in rounds has failed", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } finally {
      threads.shutdownNow();
    }
  }

  private long rows() {
    try {
      return CacheReader.open(storage, cache, runs.get(0).places().teacher(), List.of())
          .unitRows()
          .stream()
          .mapToLong(Integer::longValue)
          .sum();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static void show(
      Progress progress,
      LiveMetrics live,
      Map<String, Long> begun,
      Map<String, StepReport> latest) {
    Map<String, Long> done = new TreeMap<>(begun);
    latest.forEach((name, step) -> done.merge(name, step.step(), Math::max));
    progress.update(sum(done));
    progress.note(LiveMetrics.line(latest));
    live.show(latest);
  }

  private static long sum(Map<String, Long> steps) {
    return steps.values().stream().mapToLong(Long::longValue).sum();
  }
}

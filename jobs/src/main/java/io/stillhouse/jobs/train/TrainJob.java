package io.stillhouse.jobs.train;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.spark.TaskLog;
import io.stillhouse.jobs.spark.TrackedJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.metrics.LatestSteps;
import io.stillhouse.jobs.train.metrics.LiveMetrics;
import io.stillhouse.jobs.train.recipe.Stage;
import io.stillhouse.jobs.train.recipe.StageJob;
import io.stillhouse.jobs.train.recipe.StudentRuns;
import io.stillhouse.jobs.train.recipe.TrainingCache;
import io.stillhouse.jobs.train.rounds.RoundJob;
import io.stillhouse.jobs.train.student.Environment;
import io.stillhouse.jobs.train.student.Faults;
import io.stillhouse.jobs.train.student.HadoopCheckpoints;
import io.stillhouse.jobs.train.student.History;
import io.stillhouse.jobs.train.student.SavedSteps;
import io.stillhouse.jobs.train.student.StudentParts;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainTask;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.jobs.train.student.TrainingWindow;
import io.stillhouse.target.Column;
import io.stillhouse.train.StepReport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Trains a student and its baseline from a cache alone; the teacher does not run. */
public final class TrainJob implements StageJob<TrainJob.Result> {
  private static final Logger LOG = LoggerFactory.getLogger(TrainJob.class);

  private final SparkSession spark;
  private final Stage stage;
  private final Settings settings;
  private final Storage storage;
  private final CacheReader reader;
  private final HuggingFaceDirectory teacher;
  private final Set<Column> columns;
  private final List<String> notes;
  private final Map<String, TrainingWindow> windows = new TreeMap<>();
  private List<StudentRun> runs;
  private Faults faults = new Faults(Map.of(), Map.of());

  /**
   * The result of a training.
   *
   * @param students the students that were trained
   * @param alreadyTrained names of the students that had been trained before
   * @param notes notes for the user
   */
  public record Result(
      List<TrainedStudent> students, List<String> alreadyTrained, List<String> notes) {}

  /**
   * Checks the recipe against the cache; nothing is written yet.
   *
   * @throws io.stillhouse.error.StillhouseException if the numbers of layers do not match, the
   *     cache lacks a column, or there are no labels
   */
  public TrainJob(SparkSession spark, Settings settings) throws IOException {
    this(spark, Stage.only(settings));
  }

  /** Checks one stage of a recipe, as {@link #TrainJob(SparkSession, Settings)} does. */
  public TrainJob(SparkSession spark, Stage stage) throws IOException {
    this.spark = spark;
    this.stage = stage;
    this.settings = stage.settings();
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    TrainingCache cache = TrainingCache.open(storage, settings);
    StudentRuns.OfRecipe recipe =
        new StudentRuns(storage, cache).of(settings, settings.get(Options.BASELINE), stage);
    this.reader = cache.reader();
    this.teacher = cache.teacher();
    this.columns = recipe.columns();
    this.notes = recipe.notes();
    // On one machine, baselines and workers share the cores.
    int tasks = recipe.runs().size() * settings.get(Options.WORKERS);
    int cores = Sessions.coresOfOneTask(spark) / (spark.sparkContext().isLocal() ? tasks : 1);
    this.runs =
        recipe.runs().stream().map(run -> run.withDefaultThreads(Math.max(1, cores))).toList();
    openWindows(cache.reader());
  }

  /**
   * Creates the job of one student that has already been checked, for finetune.
   *
   * @param reader the reader of the student's cache
   */
  public TrainJob(SparkSession spark, Settings settings, StudentRun run, CacheReader reader)
      throws IOException {
    this.spark = spark;
    this.stage = Stage.only(settings);
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.reader = reader;
    this.teacher = reader.teacher();
    this.columns = Set.of();
    this.notes = List.of();
    this.runs = List.of(run);
    openWindows(reader);
  }

  private void openWindows(CacheReader current) throws IOException {
    for (StudentRun run : runs) {
      TrainingWindow window = new TrainingWindow(run, storage, current);
      windows.put(run.name(), window);
      if (window.exists() && TrainedStudent.finished(storage, run).isEmpty()) {
        window.requireFits(run.name().equals(runs.get(0).name()) ? columns : Set.of());
        requireParallelTasks();
      }
    }
  }

  /**
   * Requires that all students run at once: one that waits for shards would occupy the core that
   * another needs to release them.
   */
  private void requireParallelTasks() {
    boolean rounds = runs.get(0).train().rounds().used();
    if (spark.sparkContext().isLocal() && trainsSequentially() && !rounds) {
      throw Errors.invalid(
          format(
              "students of a cache with a window are trained in parallel, but there are %d and the"
                  + " session runs fewer tasks at once",
              runs.size()),
          format(
              "give the session as many cores, such as --master 'local[%d]', or set"
                  + " train.baseline=false",
              runs.size()));
    }
  }

  @Override
  public List<StudentRun> students() {
    return runs;
  }

  @Override
  public HuggingFaceDirectory teacher() {
    return teacher;
  }

  /** Returns the tensor columns that the student reads from the cache; its baseline reads none. */
  public Set<Column> columns() {
    return Set.copyOf(columns);
  }

  /** Returns whether student and baseline are trained one after the other, not in parallel. */
  public boolean trainsSequentially() {
    int cpus = spark.sparkContext().conf().getInt("spark.task.cpus", 1);
    return spark.sparkContext().defaultParallelism() / cpus < runs.size();
  }

  /**
   * Trains every student that is not finished yet. Each is one Spark task, and resumes from its
   * newest checkpoint.
   */
  @Override
  public Result run() throws IOException {
    startFromStagesBefore();
    List<StudentRun> wanted = new ArrayList<>();
    List<String> done = new ArrayList<>();
    for (StudentRun run : runs) {
      if (TrainedStudent.finished(storage, run).isPresent()) {
        done.add(run.name());
        window(run.name()).finished(); // a run that was killed may not have called it
      } else {
        wanted.add(run);
      }
    }
    LOG.info(
        "train: {} to train, {} finished already, in '{}'",
        names(wanted),
        done,
        runs.get(0).paths().students());
    List<TrainedStudent> trained = wanted.isEmpty() ? List.of() : trainAll(wanted);
    Result result = new Result(trained, done, notes);
    if (!trained.isEmpty()) {
      storage.writeJson(
          new Path(
              new Path(runs.get(0).paths().students()), "train-" + runs.get(0).name() + ".json"),
          Map.of(
              "result",
              result,
              "recipe",
              settings.allValues(),
              "faults",
              faults,
              "environment",
              Environment.of(spark)));
    }
    return result;
  }

  /** Starts the students from the weights that previous stages have written since the check. */
  private void startFromStagesBefore() throws IOException {
    if (stage.isFirst()) {
      return;
    }
    List<StudentRun> started = new ArrayList<>();
    for (StudentRun run : runs) {
      started.add(stage.started(run, storage));
    }
    runs = List.copyOf(started);
    if (reader.plan().window() != null) { // it may have advanced since
      StudentRun.Paths paths = runs.get(0).paths();
      openWindows(CacheReader.open(storage, new Path(paths.cache()), paths.teacher(), List.of()));
    }
  }

  private TrainingWindow window(String name) {
    return Objects.requireNonNull(windows.get(name));
  }

  private static List<String> names(List<StudentRun> students) {
    return students.stream().map(StudentRun::name).toList();
  }

  private List<TrainedStudent> trainAll(List<StudentRun> wanted) throws IOException {
    for (StudentRun run : wanted) {
      window(run.name()).register();
    }
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    LatestSteps latest = new LatestSteps();
    long total =
        wanted.stream().mapToLong(run -> run.train().steps(StudentParts.rows(reader, run))).sum();
    Map<String, Long> started = new TreeMap<>();
    for (StudentRun run : wanted) {
      started.put(
          run.name(), new HadoopCheckpoints(storage, run.checkpoints(), History.empty()).begin());
    }
    try (Progress progress = Progress.resume("train", sum(started), total, "steps");
        LiveMetrics live = LiveMetrics.open(settings, storage, wanted.get(0).paths().students());
        TrackedJob job =
            TrackedJob.start(spark, "train", "students " + String.join(", ", names(wanted)))) {
      live.students(runs.size(), runs.size() - wanted.size());
      job.watch("steps", latest, running -> show(progress, live, started, latest.with(running)));
      job.savesWhenStopped(
          () ->
              SavedSteps.words(
                  storage, runs, run -> run.train().steps(StudentParts.rows(reader, run))));
      TaskLog log = TaskLog.create();
      List<TrainedStudent> trained =
          job.run(
              () -> {
                inRounds(context, wanted, latest);
                return context
                    .parallelize(wanted, wanted.size())
                    .map(run -> train(run, latest, log))
                    .collect();
              });
      faults = Faults.of(job.failedTasks(), started);
      return trained;
    }
  }

  @SuppressWarnings("try") // the labels only have to be open
  private static TrainedStudent train(StudentRun run, LatestSteps latest, TaskLog log)
      throws IOException {
    try (TaskLog.Scope labels = log.label(TaskLog.STUDENT, run.name())) {
      return new TrainTask(run, latest.listener(run.name())).train();
    }
  }

  /** Trains the students whose recipe has rounds, in parallel, up to their last checkpoint. */
  private void inRounds(JavaSparkContext context, List<StudentRun> wanted, LatestSteps latest) {
    List<StudentRun> inRounds = wanted.stream().filter(run -> run.train().rounds().used()).toList();
    if (inRounds.isEmpty()) {
      return;
    }
    ExecutorService threads = Executors.newFixedThreadPool(inRounds.size());
    try {
      CompletionService<Void> all = new ExecutorCompletionService<>(threads);
      for (StudentRun run : inRounds) {
        all.submit(
            () -> {
              new RoundJob(context, storage, run, latest).run(StudentParts.rows(reader, run));
              return null;
            });
      }
      for (int ended = 0; ended < inRounds.size(); ended++) {
        all.take().get(); // a failure stops all: with a window, the others would wait for it
      }
    } catch (ExecutionException e) {
      throw new IllegalStateException("training in rounds failed", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } finally {
      threads.shutdownNow();
    }
  }

  private void show(
      Progress progress,
      LiveMetrics live,
      Map<String, Long> started,
      Map<String, StepReport> latest) {
    Map<String, Long> done = new TreeMap<>(started);
    latest.forEach((name, step) -> done.merge(name, step.step(), Math::max));
    progress.update(sum(done));
    List<String> note = new ArrayList<>(List.of(LiveMetrics.line(latest)));
    done.forEach((name, step) -> note.add(window(name).waitsFor(step)));
    note.removeIf(String::isEmpty);
    progress.note(String.join("; ", note));
    live.show(latest);
  }

  private static long sum(Map<String, Long> steps) {
    return steps.values().stream().mapToLong(Long::longValue).sum();
  }
}

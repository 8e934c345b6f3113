package io.stillhouse.jobs.train;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.RunningTasks;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.spark.Watch;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.metrics.LatestSteps;
import io.stillhouse.jobs.train.metrics.LiveMetrics;
import io.stillhouse.jobs.train.rounds.RoundJob;
import io.stillhouse.jobs.train.student.HadoopCheckpoints;
import io.stillhouse.jobs.train.student.History;
import io.stillhouse.jobs.train.student.RunPlanner;
import io.stillhouse.jobs.train.student.Stage;
import io.stillhouse.jobs.train.student.StudentParts;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.StudentWindow;
import io.stillhouse.jobs.train.student.TrainTask;
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
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import scala.Tuple2;

/** Job 2: trains a student, and its baseline, from the cache alone. */
public final class TrainJob {
  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final @Nullable HuggingFaceDirectory teacher;
  private final Set<Column> columns;
  private final List<StudentRun> runs;
  private final Map<String, StudentWindow> windows = new TreeMap<>();
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
    this(spark, Stage.only(settings));
  }

  /** As {@link #TrainJob(SparkSession, Settings)}, of one stage of a recipe. */
  public TrainJob(SparkSession spark, Stage stage) throws IOException {
    this.spark = spark;
    this.settings = stage.settings();
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    RunPlanner planner = new RunPlanner(storage, settings);
    RunPlanner.Planned planned = planner.plan(settings, settings.get(Options.BASELINE), stage);
    this.teacher = planner.teacher();
    this.columns = planned.columns();
    this.notes.addAll(planned.notes());
    // On one machine baselines and workers share the cores.
    int tasks = planned.runs().size() * settings.get(Options.WORKERS);
    int cores = Sessions.coresOfOneTask(spark) / (spark.sparkContext().isLocal() ? tasks : 1);
    this.runs = planned.runs().stream().map(run -> run.orThreads(Math.max(1, cores))).toList();
    for (StudentRun run : runs) {
      StudentWindow window = StudentWindow.of(run, storage);
      windows.put(run.name(), window);
      if (window.exists() && TrainTask.finished(storage, run).isEmpty()) {
        window.requireFits();
        requireSideBySide();
      }
    }
  }

  /** One that waits for shards would hold the core that the other needs to let them go. */
  private void requireSideBySide() {
    boolean rounds = runs.get(0).train().rounds().used();
    if (spark.sparkContext().isLocal() && inTurn() && !rounds) {
      throw Errors.invalid(
          "students of a cache with a window are trained side by side, but there are %d and the session runs fewer tasks at once"
              .formatted(runs.size()),
          "give it as many cores, such as --master 'local[%d]', or set train.baseline=false"
              .formatted(runs.size()));
    }
  }

  /** Makes a job of given runs, for finetune. */
  public TrainJob(SparkSession spark, Settings settings, StudentRun run) {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.teacher = null;
    this.columns = Set.of();
    this.runs = List.of(run);
  }

  Stage.Made made() {
    return new Stage.Made(runs, Objects.requireNonNull(teacher));
  }

  /** Returns the tensor columns that the student reads of the cache; its baseline reads none. */
  public Set<Column> columns() {
    return Set.copyOf(columns);
  }

  /** Returns whether student and baseline train after each other, not side by side. */
  public boolean inTurn() {
    int cpus = spark.sparkContext().conf().getInt("spark.task.cpus", 1);
    return spark.sparkContext().defaultParallelism() / cpus < runs.size();
  }

  /**
   * Trains every student that is not there yet; each is one task, and resumes from its newest
   * checkpoint.
   */
  public Result run() throws IOException {
    List<StudentRun> wanted = new ArrayList<>();
    List<String> done = new ArrayList<>();
    for (StudentRun run : runs) {
      if (TrainTask.finished(storage, run).isPresent()) {
        done.add(run.name());
        if (windows.containsKey(run.name())) {
          windows.get(run.name()).finished(); // it may have been killed just before
        }
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

  private List<TrainTask.Trained> trainAll(List<StudentRun> wanted) throws IOException {
    for (StudentRun run : wanted) {
      if (windows.containsKey(run.name())) {
        windows.get(run.name()).register();
      }
    }
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
          run.name(), new HadoopCheckpoints(storage, run.checkpoints(), History.empty()).begin());
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
      CompletionService<Void> all = new ExecutorCompletionService<>(threads);
      for (StudentRun run : inRounds) {
        all.submit(
            () -> {
              new RoundJob(context, storage, run, latest).run(rows);
              return null;
            });
      }
      for (int ended = 0; ended < inRounds.size(); ended++) {
        all.take().get(); // the first to fail ends all: a window's others would wait for it
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
      CacheReader reader =
          CacheReader.open(
              storage,
              new Path(runs.get(0).places().cache()),
              runs.get(0).places().teacher(),
              List.of());
      return StudentParts.rows(reader, runs.get(0));
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private void show(
      Progress progress,
      LiveMetrics live,
      Map<String, Long> begun,
      Map<String, StepReport> latest) {
    Map<String, Long> done = new TreeMap<>(begun);
    latest.forEach((name, step) -> done.merge(name, step.step(), Math::max));
    progress.update(sum(done));
    List<String> note = new ArrayList<>(List.of(LiveMetrics.line(latest)));
    done.forEach(
        (name, step) ->
            note.add(windows.containsKey(name) ? windows.get(name).waitsFor(step) : ""));
    note.removeIf(String::isEmpty);
    progress.note(String.join("; ", note));
    live.show(latest);
  }

  private static long sum(Map<String, Long> steps) {
    return steps.values().stream().mapToLong(Long::longValue).sum();
  }
}

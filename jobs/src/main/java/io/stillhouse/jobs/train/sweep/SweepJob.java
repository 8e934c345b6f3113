package io.stillhouse.jobs.train.sweep;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.spark.TaskLog;
import io.stillhouse.jobs.spark.TrackedJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.metrics.LatestSteps;
import io.stillhouse.jobs.train.metrics.LiveMetrics;
import io.stillhouse.jobs.train.recipe.Stage;
import io.stillhouse.jobs.train.recipe.StageJob;
import io.stillhouse.jobs.train.rounds.RoundJob;
import io.stillhouse.jobs.train.student.Environment;
import io.stillhouse.jobs.train.student.Faults;
import io.stillhouse.jobs.train.student.HadoopCheckpoints;
import io.stillhouse.jobs.train.student.History;
import io.stillhouse.jobs.train.student.SavedSteps;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.train.StepReport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains many students from one cache. Each group of students is one task in its own Spark job, so
 * that a student that kills its executor fails only its own group.
 */
public final class SweepJob implements StageJob<SweepJob.Result> {
  private static final Logger LOG = LoggerFactory.getLogger(SweepJob.class);
  private static final int MAX_STUDENTS_SHOWN = 4;
  private static final int MAX_JOBS = 64;

  private final SparkSession spark;
  private final Stage stage;
  private final Settings settings;
  private final Storage storage;
  private final SweepStudents students;
  private final List<StudentRun> runs;
  private final Halving halving;
  private @Nullable Faults faults;

  /**
   * The result of one student.
   *
   * @param values the settings that only this student has, by key
   * @param training its result so far; null if its training never began
   * @param problem why it failed, or null
   * @param mistake whether the failure is the user's mistake
   */
  public record Row(
      String name,
      SweepOutcome.Status status,
      Map<String, String> values,
      @Nullable TrainedStudent training,
      @Nullable String problem,
      boolean mistake) {}

  /**
   * The result of a sweep; also written next to the students as {@code sweep.json}, with the groups
   * in {@code sweep.md}.
   *
   * @param students the students in the recipe's order
   * @param groups students that differ only in their seed
   * @param columns the measurements on the validation rows that tables show
   * @param notes notes for the user
   */
  public record Result(
      List<Row> students, List<SeedGroups.Group> groups, List<String> columns, List<String> notes) {
    /** Returns a table of the students, and one of the groups if there are any. */
    public String table() {
      String grouped = SeedGroups.markdown(groups, columns);
      return new SweepTable(students, columns).text() + (grouped.isEmpty() ? "" : "\n" + grouped);
    }

    /** Returns the students that failed. */
    public List<Row> failures() {
      return students.stream().filter(row -> row.status() == SweepOutcome.Status.FAILED).toList();
    }

    /** Returns 0 if no student failed, 2 if every failure is the user's mistake, else 1. */
    public int exitCode() {
      return failures().isEmpty() ? 0 : failures().stream().allMatch(Row::mistake) ? 2 : 1;
    }
  }

  /**
   * Checks the recipe of every student against the cache; nothing is written yet.
   *
   * @throws io.stillhouse.error.StillhouseException with every problem of every student
   */
  public SweepJob(SparkSession spark, Settings settings) throws IOException {
    this(spark, Stage.only(settings));
  }

  /** Checks one stage of a recipe, as {@link #SweepJob(SparkSession, Settings)} does. */
  public SweepJob(SparkSession spark, Stage stage) throws IOException {
    this.spark = spark;
    this.stage = stage;
    this.settings = stage.settings();
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.students = new SweepStudents(storage, stage);
    this.halving = students.halving();
    int cores = Sessions.coresOfOneTask(spark);
    // On one machine, the tasks share the cores.
    int tasks = spark.sparkContext().isLocal() ? students.tasks() : 1;
    this.runs =
        students.runs().stream()
            .map(run -> run.withDefaultThreads(Math.max(1, cores / tasks)))
            .toList();
  }

  @Override
  public List<StudentRun> students() {
    return runs;
  }

  @Override
  public HuggingFaceDirectory teacher() {
    return students.teacher();
  }

  /** Trains every student that is not finished; each resumes from its newest checkpoint. */
  @Override
  public Result run() throws IOException {
    List<StudentRun> started = new ArrayList<>();
    for (StudentRun run : runs) {
      started.add(stage.started(run, storage));
    }
    Map<String, SweepOutcome> outcomes = new HashMap<>();
    List<Halving.Decision> decisions = trainAll(started, outcomes);
    List<Row> rows =
        started.stream().map(run -> row(Objects.requireNonNull(outcomes.get(run.name())))).toList();
    Result result =
        new Result(rows, SeedGroups.of(rows), students.columns(), students.notes(started));
    int failed = result.failures().size();
    LOG.info("sweep: {} students in '{}', of which {} failed", rows.size(), directory(), failed);
    if (!students.isPartial()) { // otherwise, concurrent runs would replace each other's tables
      write(result, decisions);
    }
    return result;
  }

  private String directory() {
    return runs.get(0).paths().students();
  }

  /** Trains the students from pause to pause, and collects their outcomes by name. */
  private List<Halving.Decision> trainAll(
      List<StudentRun> started, Map<String, SweepOutcome> outcomes) throws IOException {
    List<StudentRun> wanted = new ArrayList<>();
    for (StudentRun run : started) {
      TrainedStudent.finished(storage, run)
          .ifPresentOrElse(
              trained -> outcomes.put(run.name(), SweepOutcome.trained(trained)),
              () -> wanted.add(run));
    }
    LatestSteps latest = new LatestSteps();
    List<Halving.Decision> decisions = new ArrayList<>();
    try (LiveMetrics live = LiveMetrics.open(settings, storage, directory())) {
      live.students(runs.size(), runs.size() - wanted.size());
      for (int at : halving.pauses()) {
        Halving.Decision decision = halving.readDecision(at).orElse(null);
        if (decision == null && wanted.isEmpty()) {
          break;
        }
        if (decision == null) {
          List<SweepOutcome> reached = train(wanted, at, latest, live);
          reached.forEach(outcome -> outcomes.put(outcome.name(), outcome));
          decision = halving.decide(at, reached);
          LOG.info("sweep: {} continue after step {}", decision.goingOn(), at);
        }
        decision.out().forEach(outcome -> outcomes.put(outcome.name(), outcome));
        List<String> continuing = decision.goingOn();
        wanted.removeIf(run -> !continuing.contains(run.name()));
        decisions.add(decision);
      }
      train(wanted, Long.MAX_VALUE, latest, live)
          .forEach(outcome -> outcomes.put(outcome.name(), outcome));
    }
    return decisions;
  }

  private void write(Result result, List<Halving.Decision> decisions) throws IOException {
    Map<String, Object> record = new LinkedHashMap<>();
    record.put("result", result);
    record.put("halving", decisions.stream().map(SweepJob::summary).toList());
    record.put("recipe", settings.allValues());
    record.put("faults", faults);
    record.put("environment", Environment.of(spark));
    Path students = new Path(directory());
    storage.fileSystem(students).mkdirs(students);
    storage.writeJson(new Path(students, "sweep.json"), record);
    String table = SeedGroups.markdown(result.groups(), result.columns());
    if (!table.isEmpty()) {
      storage.writeText(new Path(students, "sweep.md"), table);
    }
  }

  private Row row(SweepOutcome outcome) {
    return new Row(
        outcome.name(),
        outcome.status(),
        students.values(outcome.name()),
        outcome.training(),
        outcome.problem(),
        outcome.mistake());
  }

  private static Map<String, Object> summary(Halving.Decision decision) {
    Map<String, Object> summary = new LinkedHashMap<>();
    summary.put("at", decision.at());
    summary.put("by", decision.rule().by());
    summary.put("measured", decision.measured());
    summary.put("goingOn", decision.goingOn());
    return summary;
  }

  /** Trains students to their last step or a pause, whichever comes first. */
  private List<SweepOutcome> train(
      List<StudentRun> wanted, long pause, LatestSteps latest, LiveMetrics live)
      throws IOException {
    if (wanted.isEmpty()) {
      return List.of();
    }
    Map<String, Long> started = new TreeMap<>();
    long total = 0;
    for (StudentRun run : wanted) {
      started.put(
          run.name(), new HadoopCheckpoints(storage, run.checkpoints(), History.empty()).begin());
      total += Math.min(pause, run.train().steps(students.rows(run)));
    }
    List<List<StudentRun>> groups = students.groups(wanted);
    LOG.info(
        "sweep: starting {} students in {} tasks, in '{}'",
        wanted.size(),
        groups.size(),
        directory());
    try (Progress progress = Progress.resume("sweep", sum(started), total, "steps");
        TrackedJob job = TrackedJob.start(spark, "sweep", wanted.size() + " students")) {
      job.watch("steps", latest, running -> show(progress, live, started, latest.with(running)));
      job.savesWhenStopped(() -> saved());
      List<SweepOutcome> outcomes = job.run(() -> train(groups, pause, latest));
      Faults own = Faults.of(job.failedTasks(), started);
      faults = faults == null ? own : faults.plus(own.failedTasks());
      return outcomes;
    }
  }

  /** Trains every group in its own Spark job, started by its own thread. */
  private List<SweepOutcome> train(List<List<StudentRun>> groups, long pause, LatestSteps latest) {
    // Students with rounds wait for jobs of many tasks, the others for one task each.
    int maxThreads = Math.max(MAX_JOBS, spark.sparkContext().defaultParallelism());
    ExecutorService threads = Executors.newFixedThreadPool(Math.min(groups.size(), maxThreads));
    try {
      List<Future<List<SweepOutcome>>> futures = new ArrayList<>();
      for (List<StudentRun> group : groups) {
        futures.add(threads.submit(() -> trainGroup(group, pause, latest)));
      }
      List<SweepOutcome> outcomes = new ArrayList<>();
      for (Future<List<SweepOutcome>> future : futures) {
        outcomes.addAll(future.get());
      }
      return outcomes;
    } catch (ExecutionException e) {
      throw new IllegalStateException("the sweep failed", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } finally {
      threads.shutdownNow();
    }
  }

  /** Trains one group; if its Spark job fails, all of its students fail. */
  private List<SweepOutcome> trainGroup(List<StudentRun> group, long pause, LatestSteps latest) {
    String names = group.stream().map(StudentRun::name).collect(Collectors.joining(", "));
    try (TrackedJob job = TrackedJob.start(spark, "sweep", "students " + names)) {
      job.savesWhenStopped(() -> saved());
      try {
        return job.run(() -> runGroup(group, pause, latest));
      } catch (Exception e) {
        if (job.cancelled()) { // not a failure of the students
          throw new IllegalStateException(format("the training of %s was stopped", names), e);
        }
        LOG.warn(
            "sweep: students {} failed; run sweep again to resume them from their checkpoints",
            names,
            e);
        return group.stream().map(run -> SweepOutcome.failed(run.name(), null, e)).toList();
      }
    }
  }

  @SuppressWarnings("try") // the labels only have to be open
  private static List<SweepOutcome> train(
      List<StudentRun> share, long pause, LatestSteps latest, TaskLog log) {
    String names = share.stream().map(StudentRun::name).collect(Collectors.joining(","));
    try (TaskLog.Scope labels = log.label(TaskLog.STUDENT, names)) {
      return new SweepTask(share, pause, latest::listener).train();
    }
  }

  private String saved() {
    return SavedSteps.words(storage, runs, run -> run.train().steps(students.rows(run)));
  }

  private List<SweepOutcome> runGroup(List<StudentRun> group, long pause, LatestSteps latest)
      throws IOException {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    StudentRun first = group.get(0);
    if (first.train().rounds().used()) {
      new RoundJob(context, storage, first, latest).run(students.rows(first));
    }
    TaskLog log = TaskLog.create();
    return context
        .parallelize(List.of(group), 1)
        .map(share -> train(share, pause, latest, log))
        .collect()
        .get(0);
  }

  private static void show(
      Progress progress,
      LiveMetrics live,
      Map<String, Long> started,
      Map<String, StepReport> latest) {
    Map<String, Long> done = new TreeMap<>(started);
    Map<String, StepReport> training = new TreeMap<>();
    latest.forEach(
        (name, step) -> {
          if (done.computeIfPresent(name, (n, before) -> Math.max(before, step.step())) != null
              && step.step() < step.steps()) {
            training.put(name, step);
          }
        });
    progress.update(sum(done));
    progress.note(line(training));
    live.show(latest);
  }

  /** Returns a phrase about each of the first students. */
  private static String line(Map<String, StepReport> training) {
    String few =
        training.entrySet().stream()
            .limit(MAX_STUDENTS_SHOWN)
            .map(
                entry ->
                    format(
                        "%s %,d loss %.3f",
                        entry.getKey(), entry.getValue().step(), entry.getValue().loss()))
            .collect(Collectors.joining("; "));
    return training.size() > MAX_STUDENTS_SHOWN
        ? few + format("; and %d more", training.size() - MAX_STUDENTS_SHOWN)
        : few;
  }

  private static long sum(Map<String, Long> steps) {
    return steps.values().stream().mapToLong(Long::longValue).sum();
  }
}

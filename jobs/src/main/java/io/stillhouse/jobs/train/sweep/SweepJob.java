package io.stillhouse.jobs.train.sweep;

import io.stillhouse.config.Settings;
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
import io.stillhouse.jobs.train.student.Stage;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainTask;
import io.stillhouse.train.StepReport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
import scala.Tuple2;

/**
 * Trains many students from one cache. Each group of students is a task, and a Spark job of its
 * own, so that a machine that dies of one student takes its group along and nobody else.
 */
public final class SweepJob {
  private static final int TOLD = 4;
  private static final int MOST_JOBS = 64;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final SweepPlan plan;
  private final List<StudentRun> runs;
  private final Halving halving;

  /**
   * A student.
   *
   * @param values what it has of its own, by key
   * @param training how it went, as far as it went; null if it never began
   * @param problem why it failed, or null
   */
  public record Row(
      String name,
      SweepOutcome.Status status,
      Map<String, String> values,
      TrainTask.@Nullable Trained training,
      @Nullable String problem,
      boolean mistake) {}

  /**
   * What a sweep made; also {@code sweep.json} beside the students, and the groups as {@code
   * sweep.md}.
   *
   * @param groups students that differ in their seed alone
   * @param columns what tables show of the numbers over held-out rows
   */
  public record Result(
      List<Row> students, List<SeedGroups.Group> groups, List<String> columns, List<String> notes) {
    /** Returns a table for people, and one of the groups, if there are any. */
    public String table() {
      String grouped = SeedGroups.markdown(groups, columns);
      return new SweepTable(students, columns).text() + (grouped.isEmpty() ? "" : "\n" + grouped);
    }

    /** Returns those that failed. */
    public List<Row> failures() {
      return students.stream().filter(row -> row.status() == SweepOutcome.Status.FAILED).toList();
    }

    /** Returns 0 if none failed, 2 if each that did is the user's mistake, else 1. */
    public int exitCode() {
      return failures().isEmpty() ? 0 : failures().stream().allMatch(Row::mistake) ? 2 : 1;
    }
  }

  /**
   * Checks the recipe of every student against the cache; nothing is written yet.
   *
   * @throws io.stillhouse.error.StillhouseException with all that is wrong with any of them
   */
  public SweepJob(SparkSession spark, Settings settings) throws IOException {
    this(spark, Stage.only(settings));
  }

  /** As {@link #SweepJob(SparkSession, Settings)}, of one stage of a recipe. */
  public SweepJob(SparkSession spark, Stage stage) throws IOException {
    this.spark = spark;
    this.settings = stage.settings();
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.plan = new SweepPlan(storage, stage);
    this.halving = plan.halving();
    int cores = Sessions.coresOfOneTask(spark);
    int tasks = spark.sparkContext().isLocal() ? plan.tasks() : 1; // which share the cores
    this.runs = plan.runs().stream().map(run -> run.orThreads(Math.max(1, cores / tasks))).toList();
  }

  public Stage.Made made() {
    return new Stage.Made(runs, plan.teacher());
  }

  /** Trains every student that is not there yet; each resumes from its newest checkpoint. */
  public Result run() throws IOException {
    Map<String, SweepOutcome> outcomes = new HashMap<>();
    List<StudentRun> wanted = new ArrayList<>();
    for (StudentRun run : runs) {
      TrainTask.finished(storage, run)
          .ifPresentOrElse(
              trained -> outcomes.put(run.name(), SweepOutcome.trained(trained)),
              () -> wanted.add(run));
    }
    LatestSteps latest = new LatestSteps();
    spark.sparkContext().register(latest, "steps");
    String students = runs.get(0).places().students();
    List<Halving.Decision> decisions = new ArrayList<>();
    try (LiveMetrics live = LiveMetrics.open(settings, storage, students);
        RunningTasks running = new RunningTasks(spark.sparkContext(), latest)) {
      for (int at : halving.pauses()) {
        Halving.Decision decision = halving.decided(at).orElse(null);
        if (decision == null && wanted.isEmpty()) {
          break;
        }
        if (decision == null) {
          List<SweepOutcome> reached = train(wanted, at, latest, live, running);
          reached.forEach(outcome -> outcomes.put(outcome.name(), outcome));
          decision = halving.decide(at, reached);
        }
        decision.out().forEach(outcome -> outcomes.put(outcome.name(), outcome));
        List<String> goingOn = decision.goingOn();
        wanted.removeIf(run -> !goingOn.contains(run.name()));
        decisions.add(decision);
      }
      train(wanted, Long.MAX_VALUE, latest, live, running)
          .forEach(outcome -> outcomes.put(outcome.name(), outcome));
    }
    List<Row> rows = runs.stream().map(run -> row(outcomes.get(run.name()))).toList();
    Result result = new Result(rows, SeedGroups.of(rows), plan.columns(), plan.notes());
    Map<String, Object> record = new LinkedHashMap<>();
    record.put("result", result);
    record.put("halving", decisions.stream().map(SweepJob::told).toList());
    record.put("recipe", settings.inForce());
    storage.fileSystem(new Path(students)).mkdirs(new Path(students));
    storage.writeJson(new Path(students, "sweep.json"), record);
    String table = SeedGroups.markdown(result.groups(), result.columns());
    if (!table.isEmpty()) {
      storage.writeText(new Path(students, "sweep.md"), table);
    }
    return result;
  }

  private Row row(SweepOutcome outcome) {
    return new Row(
        outcome.name(),
        outcome.status(),
        plan.values(outcome.name()),
        outcome.training(),
        outcome.problem(),
        outcome.mistake());
  }

  private static Map<String, Object> told(Halving.Decision decision) {
    Map<String, Object> told = new LinkedHashMap<>();
    told.put("at", decision.at());
    told.put("by", decision.rule().by());
    told.put("measured", decision.measured());
    told.put("goingOn", decision.goingOn());
    return told;
  }

  /** Trains students to their end or a pause, whichever comes first. */
  private List<SweepOutcome> train(
      List<StudentRun> wanted,
      long pause,
      LatestSteps latest,
      LiveMetrics live,
      RunningTasks running)
      throws IOException {
    if (wanted.isEmpty()) {
      return List.of();
    }
    Map<String, Long> begun = new TreeMap<>();
    long total = 0;
    for (StudentRun run : wanted) {
      begun.put(
          run.name(), new HadoopCheckpoints(storage, run.checkpoints(), History.empty()).begin());
      total += Math.min(pause, run.train().steps(plan.rows(run)));
    }
    List<List<StudentRun>> groups = plan.groups(wanted);
    // Those with rounds wait for jobs of many tasks, the others for one each.
    int most = Math.max(MOST_JOBS, spark.sparkContext().defaultParallelism());
    ExecutorService threads = Executors.newFixedThreadPool(Math.min(groups.size(), most));
    try (Progress progress = Progress.resume("sweep", sum(begun), total, "steps");
        Watch watch = new Watch(() -> show(progress, live, begun, latest.with(running.values())))) {
      List<Future<List<SweepOutcome>>> futures = new ArrayList<>();
      for (List<StudentRun> group : groups) {
        futures.add(threads.submit(() -> train(group, pause, latest)));
      }
      List<SweepOutcome> outcomes = new ArrayList<>();
      for (Future<List<SweepOutcome>> future : futures) {
        outcomes.addAll(future.get());
      }
      return outcomes;
    } catch (ExecutionException e) {
      throw new IllegalStateException("a sweep has failed", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } finally {
      threads.shutdownNow();
    }
  }

  /** Trains one group: what Spark cannot finish of it is the group's failure. */
  private List<SweepOutcome> train(List<StudentRun> group, long pause, LatestSteps latest) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    String names = group.stream().map(StudentRun::name).collect(Collectors.joining(", "));
    try {
      StudentRun first = group.get(0);
      if (first.train().rounds().used()) {
        new RoundJob(context, storage, first, latest).run(plan.rows(first));
      }
      context.setJobGroup("sweep", "students " + names, true);
      return context
          .parallelize(List.of(group), 1)
          .map(
              students ->
                  new SweepTask(
                          students,
                          pause,
                          name ->
                              RoundJob.interruptible(step -> latest.add(new Tuple2<>(name, step))))
                      .train())
          .collect()
          .get(0);
    } catch (Exception e) {
      // Spark says so of a job that somebody, or its own end, has stopped: nobody's failure.
      if (spark.sparkContext().isStopped()
          || String.valueOf(e.getMessage()).contains("cancelled")) {
        throw new IllegalStateException("the training of %s was stopped".formatted(names), e);
      }
      return group.stream().map(run -> SweepOutcome.failed(run.name(), null, e)).toList();
    }
  }

  private static void show(
      Progress progress,
      LiveMetrics live,
      Map<String, Long> begun,
      Map<String, StepReport> latest) {
    Map<String, Long> done = new TreeMap<>(begun);
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

  /** Returns a few words about each of a few students. */
  private static String line(Map<String, StepReport> training) {
    String few =
        training.entrySet().stream()
            .limit(TOLD)
            .map(
                entry ->
                    "%s %,d loss %.3f"
                        .formatted(
                            entry.getKey(), entry.getValue().step(), entry.getValue().loss()))
            .collect(Collectors.joining("; "));
    return training.size() > TOLD ? few + "; and %d more".formatted(training.size() - TOLD) : few;
  }

  private static long sum(Map<String, Long> steps) {
    return steps.values().stream().mapToLong(Long::longValue).sum();
  }
}

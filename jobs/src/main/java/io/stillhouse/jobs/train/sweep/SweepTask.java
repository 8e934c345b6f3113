package io.stillhouse.jobs.train.sweep;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDManager;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainTask;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Column;
import io.stillhouse.target.TargetSource;
import io.stillhouse.train.Lockstep;
import io.stillhouse.train.StepReport;
import io.stillhouse.train.Trainer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains students of a sweep that share a task. Each student ends with the same bits as if {@link
 * TrainTask} had trained it alone. The cache is read once, with the columns of all students;
 * teacher weights that several students need are loaded once.
 */
final class SweepTask implements Lockstep.Watcher {
  private static final Logger LOG = LoggerFactory.getLogger(SweepTask.class);

  private final List<StudentRun> runs;
  private final long pause;
  private final Function<String, Consumer<StepReport>> listeners;
  private final Storage storage = Storage.ofThisProcess();
  private final List<TrainTask> tasks = new ArrayList<>();
  private final IdentityHashMap<Trainer.Run, TrainTask> running = new IdentityHashMap<>();
  private final Map<String, SweepOutcome> outcomes = new LinkedHashMap<>();

  /**
   * @param runs students that read the same rows in the same order, with equal threads
   * @param pause the step after which the students are measured and the task ends
   * @param listeners a function that returns the listener of the student with the given name
   */
  SweepTask(List<StudentRun> runs, long pause, Function<String, Consumer<StepReport>> listeners) {
    this.runs = runs;
    this.pause = pause;
    this.listeners = listeners;
  }

  List<SweepOutcome> train() {
    try {
      for (StudentRun run : runs) {
        open(run);
      }
      if (!tasks.isEmpty()) {
        trainTogether();
      }
    } finally {
      tasks.forEach(TrainTask::close);
    }
    failForRetry();
    return List.copyOf(outcomes.values());
  }

  private void open(StudentRun run) {
    TrainTask task = new TrainTask(run, listeners.apply(run.name()));
    try {
      Optional<TrainedStudent> finished = TrainedStudent.finished(storage, run);
      if (finished.isPresent()) {
        outcomes.put(run.name(), SweepOutcome.trained(finished.get()));
        return;
      }
      task.open();
      tasks.add(task);
    } catch (IOException | RuntimeException e) {
      task.close();
      fail(task, e);
    }
  }

  private void trainTogether() {
    List<Set<Column>> columns = new ArrayList<>();
    for (TrainTask task : tasks) {
      List<Set<Column>> taskColumns = task.parts().columns(); // of as many teachers each
      for (int teacher = 0; teacher < taskColumns.size(); teacher++) {
        if (teacher == columns.size()) {
          columns.add(new LinkedHashSet<>());
        }
        columns.get(teacher).addAll(taskColumns.get(teacher));
      }
    }
    try (NDManager shared = Devices.manager()) {
      TargetSource source = tasks.get(0).parts().source(columns);
      begin(source, shared);
    } catch (IOException | RuntimeException e) {
      tasks.stream()
          .filter(task -> !outcomes.containsKey(task.student().name()))
          .toList()
          .forEach(task -> fail(task, e));
    }
  }

  private void begin(TargetSource source, NDManager shared) {
    List<TrainSpec> trains = tasks.stream().map(task -> task.student().train()).toList();
    try (Lockstep lockstep = new Lockstep(source, trains, pause)) {
      Map<List<Set<String>>, TeacherParts> teachers = new HashMap<>();
      for (TrainTask task : tasks) {
        try {
          List<Set<String>> tensors = task.parts().teacherTensors();
          TeacherParts teacher = teachers.get(tensors);
          if (teacher == null) {
            teacher = task.parts().teacherParts(shared);
            teachers.put(tensors, teacher);
          }
          running.put(task.join(lockstep, source, teacher), task);
        } catch (IOException | RuntimeException e) {
          fail(task, e);
        }
      }
      List<Trainer.Run> stopped = lockstep.run(this);
      stopped.forEach(this::save);
      if (!stopped.isEmpty()) {
        TrainTask.end();
      }
    }
  }

  @Override
  public boolean isToStop() {
    return TrainTask.isToEnd();
  }

  @Override
  public void reached(Trainer.Run run) throws IOException {
    TrainTask task = task(run);
    if (!run.isFinished()) {
      run.checkpoint();
      outcomes.put(task.student().name(), SweepOutcome.paused(task.measuredResult()));
    } else {
      outcomes.put(task.student().name(), SweepOutcome.trained(task.publish(run)));
    }
    run.close();
    task.close();
  }

  @Override
  public void failed(Trainer.Run run, Exception problem) {
    TrainTask task = task(run);
    run.close();
    task.close();
    fail(task, problem);
  }

  private void save(Trainer.Run run) {
    try {
      TrainTask.saveIfPossible(run);
    } catch (IOException | RuntimeException e) { // the others are saved all the same
      LOG.warn(
          "student '{}' has no checkpoint of its last step; it resumes from the one before",
          task(run).student().name(),
          e);
    }
  }

  private TrainTask task(Trainer.Run run) {
    return Objects.requireNonNull(running.get(run));
  }

  /** Records a student's failure, unless Spark is ending the whole task. */
  private void fail(TrainTask task, Exception problem) {
    TaskContext spark = TaskContext.get();
    if (problem instanceof TaskKilledException || (spark != null && spark.isInterrupted())) {
      throw problem instanceof IOException cannot
          ? new UncheckedIOException(cannot)
          : (RuntimeException) problem;
    }
    String name = task.student().name();
    SweepOutcome outcome = SweepOutcome.failed(name, task.partialResult(), problem);
    outcomes.put(name, outcome);
    if (outcome.mistake()) {
      LOG.debug("student '{}' failed", name, problem); // the sweep's table shows the message
    } else {
      LOG.warn(
          "student '{}' failed after step {} (attempt {}); the other students of this task "
              + "continue, and sweep resumes this one from its newest checkpoint",
          name,
          task.partialResult().steps(),
          spark == null ? 0 : spark.attemptNumber(),
          problem);
    }
  }

  /**
   * Fails the task if a student failed for a reason other than a user error and Spark would retry
   * the task, perhaps on another executor. A retry does not train finished or paused students
   * again.
   */
  private void failForRetry() {
    TaskContext spark = TaskContext.get();
    if (spark == null || spark.attemptNumber() + 1 >= attempts()) {
      return;
    }
    for (SweepOutcome outcome : outcomes.values()) {
      if (outcome.status() == SweepOutcome.Status.FAILED && !outcome.mistake()) {
        throw new IllegalStateException(
            format("'%s' failed (%s)", outcome.name(), outcome.problem()));
      }
    }
  }

  private static int attempts() {
    @Nullable SparkEnv env = SparkEnv.get();
    return env == null || env.conf().get("spark.master", "local").matches("local(\\[.*)?")
        ? 1
        : env.conf().getInt("spark.task.maxFailures", 4);
  }
}

package io.stillhouse.jobs.train.rounds;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.storage.Overlapped;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.metrics.LatestSteps;
import io.stillhouse.jobs.train.student.HadoopCheckpoints;
import io.stillhouse.jobs.train.student.History;
import io.stillhouse.jobs.train.student.RoundReport;
import io.stillhouse.jobs.train.student.StudentParts;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.StudentWindow;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.train.Checkpoint;
import io.stillhouse.train.CheckpointStore;
import io.stillhouse.train.FlatWeights;
import io.stillhouse.train.StepReport;
import io.stillhouse.train.rounds.OuterStep;
import io.stillhouse.train.rounds.RoundSchedule;
import java.io.IOException;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import scala.Tuple2;

/**
 * Trains one student by several workers in rounds, one Spark job for each: the weights are
 * broadcast, every worker takes its steps, a second stage adds the differences up piece by piece,
 * and the driver moves the weights and writes a checkpoint, while the workers already take the next
 * round's steps. Whatever is lost on the way, its task is run again to the same bits; a driver that
 * is started again goes on with the newest checkpoint.
 */
public final class RoundJob {
  private final JavaSparkContext context;
  private final Storage storage;
  private final StudentRun run;
  private final LatestSteps latest;
  private final TrainSpec.Rounds rounds;
  private final History history = History.empty();
  private final HadoopCheckpoints checkpoints;

  /**
   * @param latest takes the workers' steps
   */
  public RoundJob(JavaSparkContext context, Storage storage, StudentRun run, LatestSteps latest) {
    this.context = context;
    this.storage = storage;
    this.run = run;
    this.latest = latest;
    this.rounds = run.train().rounds();
    this.checkpoints = new HadoopCheckpoints(storage, run.checkpoints(), history);
  }

  /**
   * Runs every round that the newest checkpoint lacks.
   *
   * @param rows of the cache
   */
  public void run(long rows) throws IOException {
    RoundSchedule schedule = new RoundSchedule(run.train(), rows);
    Optional<Checkpoint> newest = Checkpoint.newest(checkpoints, run.fingerprint());
    if (newest.isEmpty()) {
      StudentRun first = run;
      context.parallelize(List.of(first), 1).foreach(RoundJob::writeFirst);
      newest = Checkpoint.newest(checkpoints, run.fingerprint());
    }
    Checkpoint checkpoint = newest.orElseThrow();
    if (checkpoint.steps() != schedule.stepsAfter(history.rounds().size())) {
      throw Errors.invalid(
          "the checkpoints in '%s' end at step %d, but beside them %d rounds are told of"
              .formatted(run.checkpoints(), checkpoint.steps(), history.rounds().size()),
          "delete that directory");
    }
    FlatWeights weights =
        FlatWeights.read(checkpoint.file(), Checkpoint.PARAMETER, rounds.workers());
    FlatWeights velocity =
        checkpoint.steps() == 0
            ? weights.zeros()
            : FlatWeights.read(checkpoint.file(), Checkpoint.VELOCITY, rounds.workers());
    StudentWindow window = StudentWindow.of(run, storage);
    CheckpointStore store = window.acknowledging(checkpoints);
    try (Overlapped checkpointing = new Overlapped(1)) {
      for (int next = history.rounds().size(); next < schedule.rounds(); next++) {
        int round = next;
        if (window.exists()) {
          checkpointing.finish(); // without it the cache goes no further
          window.await(schedule.stepsAfter(round + 1)); // here: no task holds a core meanwhile
        }
        long began = System.nanoTime();
        List<Tuple2<Integer, RoundTask.Summed>> summed = differences(schedule, round, weights);
        double seconds = (System.nanoTime() - began) / 1e9;
        checkpointing.finish(); // it reads the weights and the history that change now
        note(round, summed, seconds);
        apply(summed, weights, velocity);
        requireSomeGood();
        Map<String, LazyTensor> state = new LinkedHashMap<>(weights.named(Checkpoint.PARAMETER));
        state.putAll(velocity.named(Checkpoint.VELOCITY));
        checkpointing.then(
            () -> {
              Checkpoint.publish(store, run.fingerprint(), schedule.stepsAfter(round + 1), state);
              forgetMoments(round);
            });
      }
      checkpointing.finish();
    }
  }

  /** Writes a student as it is before the first step. */
  private static void writeFirst(StudentRun run) throws IOException {
    Storage storage = Storage.ofThisProcess();
    try (NDManager manager = Devices.manager()) {
      Map<String, NDArray> weights = new StudentParts(run, storage).initial(manager);
      Map<String, LazyTensor> state = new LinkedHashMap<>();
      weights.forEach(
          (name, weight) -> state.put(Checkpoint.PARAMETER + name, LazyTensor.of(weight)));
      Checkpoint.publish(
          new HadoopCheckpoints(storage, run.checkpoints(), History.empty()),
          run.fingerprint(),
          0,
          state);
    }
  }

  /** Returns the mean difference of every piece, and the workers' reports. */
  private List<Tuple2<Integer, RoundTask.Summed>> differences(
      RoundSchedule schedule, int round, FlatWeights weights) {
    List<Integer> workers =
        IntStream.range(0, rounds.workers())
            .filter(worker -> schedule.share(round, worker).steps() > 0)
            .boxed()
            .toList();
    List<Integer> keepers = keepers(round, workers);
    context.setJobGroup(
        "train " + run.name(),
        "%s, round %d of %d".formatted(run.name(), round + 1, schedule.rounds()),
        true);
    Broadcast<FlatWeights> start = context.broadcast(weights);
    try {
      StudentRun student = run;
      LatestSteps steps = latest;
      TrainSpec.Delta dtype = rounds.inner().delta();
      List<Tuple2<Integer, RoundTask.Summed>> summed =
          context
              .parallelize(workers, workers.size())
              .flatMapToPair(
                  worker ->
                      new RoundTask(student, round, worker)
                          .deliver(
                              start.value(),
                              keepers.contains(worker),
                              interruptible(step -> steps.add(new Tuple2<>(student.name(), step)))))
              .groupByKey(Math.min(weights.pieces(), 64))
              .mapValues(deliveries -> RoundTask.sum(deliveries, dtype))
              .collect();
      return summed;
    } finally {
      start.destroy();
    }
  }

  private void apply(
      List<Tuple2<Integer, RoundTask.Summed>> summed, FlatWeights weights, FlatWeights velocity) {
    Map<Integer, byte[]> means = new TreeMap<>();
    summed.stream()
        .filter(one -> one._1 != RoundTask.REPORT)
        .forEach(one -> means.put(one._1, one._2.mean()));
    if (!means.isEmpty()) {
      OuterStep.apply(weights, velocity, List.copyOf(means.values()), rounds.outer());
    }
  }

  /**
   * Ends a task between two steps when Spark wants it to: it is in native code most of the time.
   */
  public static Consumer<StepReport> interruptible(Consumer<StepReport> listener) {
    TaskContext task = TaskContext.get();
    return step -> {
      if (task != null) {
        task.killTaskIfInterrupted();
      }
      listener.accept(step);
    };
  }

  /** Returns the workers that have kept their moments in the round before. */
  private List<Integer> keepers(int round, List<Integer> workers) {
    if (rounds.inner().moments() == TrainSpec.Moments.RESET || round == 0) {
      return List.of();
    }
    List<Integer> leftOut = history.rounds().get(round - 1).leftOut();
    return workers.stream().filter(worker -> !leftOut.contains(worker)).toList();
  }

  private void note(int round, List<Tuple2<Integer, RoundTask.Summed>> summed, double seconds) {
    List<RoundTask.Delivery> reports =
        summed.stream().flatMap(one -> one._2.reports().stream()).toList();
    reports.stream()
        .flatMap(delivery -> delivery.reports().stream())
        .sorted(Comparator.comparingLong(StepReport::step))
        .forEach(history.steps()::add);
    history
        .rounds()
        .add(
            new RoundReport(
                round,
                reports.stream()
                    .filter(delivery -> delivery.tokens() == 0)
                    .map(RoundTask.Delivery::worker)
                    .sorted()
                    .toList(),
                reports.stream().mapToLong(RoundTask.Delivery::tokens).sum(),
                reports.stream()
                    .mapToDouble(
                        delivery ->
                            delivery.reports().stream()
                                .mapToDouble(step -> step.work().seconds())
                                .sum())
                    .max()
                    .orElse(0),
                seconds));
  }

  private void requireSomeGood() {
    int last = history.rounds().size();
    int bad = 0;
    while (bad < last && !history.rounds().get(last - 1 - bad).leftOut().isEmpty()) {
      bad++;
    }
    if (bad >= rounds.outer().maxBad()) {
      RoundReport round = history.rounds().get(last - 1);
      throw Errors.invalid(
          "in %d rounds in a row, up to round %d, the differences of some workers of '%s' were not finite (the last time of workers %s)"
              .formatted(bad, round.round() + 1, run.name(), round.leftOut()),
          "lower train.learning-rate (%s) or train.outer-learning-rate (%s), or set train.max-grad-norm"
              .formatted(run.train().optimiser().learningRate(), rounds.outer().learningRate()));
    }
  }

  /** Deletes moments that no round needs again: those of the rounds before this one. */
  private void forgetMoments(int round) throws IOException {
    if (rounds.inner().moments() == TrainSpec.Moments.RESET) {
      return;
    }
    org.apache.hadoop.fs.Path all = RoundTask.moments(run, round, 0).getParent();
    if (!storage.exists(all)) {
      return;
    }
    String last = "round-%06d-".formatted(round);
    for (FileStatus file : storage.fileSystem(all).listStatus(all)) {
      String name = file.getPath().getName().replaceFirst("^_", ""); // of a task that has ended
      if (name.compareTo(last) < 0) { // tasks of the next round may be writing theirs
        storage.fileSystem(all).delete(file.getPath(), false);
      }
    }
  }
}

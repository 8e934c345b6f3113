package io.stillhouse.jobs.train.rounds;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.TaskLog;
import io.stillhouse.jobs.spark.TrackedJob;
import io.stillhouse.jobs.storage.Overlapped;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.metrics.LatestSteps;
import io.stillhouse.jobs.train.student.HadoopCheckpoints;
import io.stillhouse.jobs.train.student.History;
import io.stillhouse.jobs.train.student.RoundReport;
import io.stillhouse.jobs.train.student.StudentParts;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainingWindow;
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
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/**
 * Trains one student with several workers in rounds, each of which is one Spark job. The weights
 * are broadcast, every worker takes its steps, a second Spark stage adds up the differences piece
 * by piece, and the driver updates the weights. The driver writes a checkpoint while the workers
 * take the steps of the next round. A lost task is run again and gives the same bits; a restarted
 * driver resumes from the newest checkpoint.
 */
public final class RoundJob {
  private static final Logger LOG = LoggerFactory.getLogger(RoundJob.class);

  private final JavaSparkContext context;
  private final Storage storage;
  private final StudentRun run;
  private final LatestSteps latest;
  private final TrainSpec.Rounds rounds;
  private final History history = History.empty();
  private final HadoopCheckpoints checkpoints;

  /**
   * @param latest receives the workers' steps
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
   * Runs all rounds after the newest checkpoint.
   *
   * @param rows the number of rows that the student is trained on in an epoch
   */
  public void run(long rows) throws IOException {
    try (TrackedJob job =
        TrackedJob.start(context.sc(), "train " + run.name(), run.name() + ", first checkpoint")) {
      int done = job.run(() -> runRounds(job, new RoundSchedule(run.train(), rows)));
      LOG.info("student '{}' finished its {} rounds", run.name(), done);
    }
  }

  /** Returns the number of rounds. */
  private int runRounds(TrackedJob job, RoundSchedule schedule) throws IOException {
    Checkpoint checkpoint = newestCheckpoint(schedule);
    FlatWeights weights =
        FlatWeights.read(checkpoint.file(), Checkpoint.PARAMETER, rounds.workers());
    FlatWeights velocity =
        checkpoint.steps() == 0
            ? weights.zeros()
            : FlatWeights.read(checkpoint.file(), Checkpoint.VELOCITY, rounds.workers());
    int first = history.rounds().size();
    if (first < schedule.rounds()) {
      LOG.info(
          "student '{}' starts after step {} with round {} of {}: {} workers, checkpoints in {}",
          run.name(),
          checkpoint.steps(),
          first + 1,
          schedule.rounds(),
          rounds.workers(),
          run.checkpoints());
    }
    // A separate reader, because this thread waits for shards while the driver's progress display
    // looks at others.
    TrainingWindow window = TrainingWindow.open(run, storage);
    CheckpointStore store = window.acknowledging(checkpoints);
    try (Overlapped checkpointing = new Overlapped(1)) {
      for (int next = first; next < schedule.rounds(); next++) {
        int round = next;
        if (window.exists()) {
          checkpointing.finish(); // the cache computes no further shards before it is written
          window.await(schedule.stepsAfter(round + 1)); // here, because no task occupies a core now
        }
        job.describe(format("%s, round %d of %d", run.name(), round + 1, schedule.rounds()));
        long began = System.nanoTime();
        List<Tuple2<Integer, RoundTask.Summed>> summed = differences(schedule, round, weights);
        double seconds = (System.nanoTime() - began) / 1e9;
        checkpointing.finish(); // it reads the weights and the history, which change now
        note(round, summed, seconds);
        apply(summed, weights, velocity);
        requireSomeFinite();
        Map<String, LazyTensor> state = new LinkedHashMap<>(weights.named(Checkpoint.PARAMETER));
        state.putAll(velocity.named(Checkpoint.VELOCITY));
        checkpointing.submit(
            () -> {
              Checkpoint.publish(store, run.fingerprint(), schedule.stepsAfter(round + 1), state);
              deleteMomentsBefore(round);
            });
      }
      checkpointing.finish();
    }
    return schedule.rounds();
  }

  /** Returns the newest checkpoint, and writes the first one if there is none. */
  private Checkpoint newestCheckpoint(RoundSchedule schedule) throws IOException {
    Optional<Checkpoint> newest = Checkpoint.newest(checkpoints, run.fingerprint());
    if (newest.isEmpty()) {
      StudentRun first = run;
      context.parallelize(List.of(first), 1).foreach(RoundJob::writeFirst);
      newest = Checkpoint.newest(checkpoints, run.fingerprint());
    }
    Checkpoint checkpoint = newest.orElseThrow();
    if (checkpoint.steps() != schedule.stepsAfter(history.rounds().size())) {
      throw Errors.invalid(
          format(
              "the checkpoints in '%s' end at step %d, but their history has %d rounds",
              run.checkpoints(), checkpoint.steps(), history.rounds().size()),
          "delete that directory");
    }
    return checkpoint;
  }

  /** Writes the checkpoint of step 0. */
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
  @SuppressWarnings("try") // the labels only have to be open
  private List<Tuple2<Integer, RoundTask.Summed>> differences(
      RoundSchedule schedule, int round, FlatWeights weights) {
    List<Integer> workers =
        IntStream.range(0, rounds.workers())
            .filter(worker -> schedule.share(round, worker).steps() > 0)
            .boxed()
            .toList();
    List<Integer> keepers = keepers(round, workers);
    Broadcast<FlatWeights> start = context.broadcast(weights);
    try {
      StudentRun student = run;
      LatestSteps steps = latest;
      long tokensBefore = history.tokensSeen();
      int count = workers.size();
      TaskLog log = TaskLog.create();
      TrainSpec.Delta dtype = rounds.inner().delta();
      List<Tuple2<Integer, RoundTask.Summed>> summed =
          context
              .parallelize(workers, workers.size())
              .flatMapToPair(
                  worker -> {
                    try (TaskLog.Scope labels =
                        log.label(TaskLog.STUDENT, student.name()).with(TaskLog.ROUND, round + 1)) {
                      return new RoundTask(student, round, worker)
                          .deliver(
                              start.value(),
                              keepers.contains(worker),
                              ofAllWorkers(steps.listener(student.name()), tokensBefore, count));
                    }
                  })
              .groupByKey(Math.min(weights.pieces(), 64))
              .mapValues(deliveries -> RoundTask.sum(deliveries, dtype))
              .collect();
      return summed;
    } finally {
      start.destroy();
    }
  }

  /**
   * Returns a listener of one worker's steps, which counts the tokens of the others as well: until
   * the round ends, they are taken to be as many.
   */
  private static Consumer<StepReport> ofAllWorkers(
      Consumer<StepReport> listener, long tokensBefore, int workers) {
    return step -> listener.accept(step.withTokensSeen(tokensBefore + workers * step.tokensSeen()));
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

  /** Returns the workers that kept their moments in the previous round. */
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
        .forEach(history::record);
    List<Integer> leftOut =
        reports.stream()
            .filter(delivery -> delivery.tokens() == 0)
            .map(RoundTask.Delivery::worker)
            .sorted()
            .toList();
    RoundReport report =
        new RoundReport(
            round,
            leftOut,
            reports.stream().mapToLong(RoundTask.Delivery::tokens).sum(),
            reports.stream()
                .mapToDouble(
                    delivery ->
                        delivery.reports().stream()
                            .mapToDouble(step -> step.work().seconds())
                            .sum())
                .max()
                .orElse(0),
            seconds);
    history.rounds().add(report);
    LOG.info(
        "student '{}', round {}: {} tokens, {} s, of which the slowest worker computed {} s",
        run.name(),
        round + 1,
        report.tokens(),
        format("%.1f", seconds),
        format("%.1f", report.computeSeconds()));
    if (!leftOut.isEmpty()) {
      LOG.warn(
          "student '{}', round {}: the differences of workers {} were not finite and are left out;"
              + " if this repeats, lower train.learning-rate or set train.max-grad-norm",
          run.name(),
          round + 1,
          leftOut);
    }
  }

  private void requireSomeFinite() {
    int last = history.rounds().size();
    int bad = 0;
    while (bad < last && !history.rounds().get(last - 1 - bad).leftOut().isEmpty()) {
      bad++;
    }
    if (bad >= rounds.outer().maxBad()) {
      RoundReport round = history.rounds().get(last - 1);
      throw Errors.invalid(
          format(
              "in %d consecutive rounds, up to round %d, the differences of some workers of '%s'"
                  + " were not finite (last: workers %s)",
              bad, round.round() + 1, run.name(), round.leftOut()),
          format(
              "lower train.learning-rate (%s) or train.outer-learning-rate (%s), or set"
                  + " train.max-grad-norm",
              run.train().optimizer().learningRate(), rounds.outer().learningRate()));
    }
  }

  /** Deletes the moments of earlier rounds, which no task needs again. */
  private void deleteMomentsBefore(int round) throws IOException {
    if (rounds.inner().moments() == TrainSpec.Moments.RESET) {
      return;
    }
    org.apache.hadoop.fs.Path all = RoundTask.moments(run, round, 0).getParent();
    if (!storage.exists(all)) {
      return;
    }
    String last = format("round-%06d-", round);
    for (FileStatus file : storage.fileSystem(all).listStatus(all)) {
      String name =
          file.getPath().getName().replaceFirst("^_", ""); // left unfinished by a task that ended
      if (name.compareTo(last) < 0) { // tasks of the next round may be writing theirs
        storage.fileSystem(all).delete(file.getPath(), false);
      }
    }
  }
}

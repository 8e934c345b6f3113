package io.stillhouse.jobs.train.rounds;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.HadoopCheckpoints;
import io.stillhouse.jobs.train.student.StudentParts;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainTask;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.train.Checkpoint;
import io.stillhouse.train.FlatWeights;
import io.stillhouse.train.StepReport;
import io.stillhouse.train.rounds.OuterStep;
import io.stillhouse.train.rounds.RoundWorker;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/** The map side of a round: takes one worker's steps and returns its difference in pieces. */
final class RoundTask {
  /** The key of the workers' reports; pieces of differences have the keys 0 and up. */
  static final int REPORT = -1;

  private static final Logger LOG = LoggerFactory.getLogger(RoundTask.class);

  private final StudentRun run;
  private final int round;
  private final int worker;
  private final Storage storage = Storage.ofThisProcess();

  RoundTask(StudentRun run, int round, int worker) {
    this.run = run;
    this.round = round;
    this.worker = worker;
  }

  /**
   * A message to the reduce side.
   *
   * @param delta the worker's part of a piece, or null if this is a report
   * @param tokens in a report, the number of tokens that the worker was trained on, or 0 if its
   *     difference was not finite
   * @param reports in a report, the worker's steps
   */
  record Delivery(
      int worker, OuterStep.@Nullable WorkerDelta delta, long tokens, List<StepReport> reports)
      implements Serializable {}

  /**
   * Takes the worker's steps.
   *
   * @param start the round's weights
   * @param moments whether the worker kept its moments in the previous round
   */
  Iterator<Tuple2<Integer, Delivery>> deliver(
      FlatWeights start, boolean moments, Consumer<StepReport> listener) throws IOException {
    TaskContext task = TaskContext.get();
    int attempt = task == null ? 0 : task.attemptNumber();
    StudentParts parts = new StudentParts(run, storage);
    Path kept = moments(run, round - 1, worker);
    java.nio.file.Path local = moments ? storage.local(kept) : null;
    try (NDManager manager = Devices.manager()) {
      LOG.info(
          "student '{}', round {}, worker {} starts (attempt {}, device {})",
          run.name(),
          round + 1,
          worker,
          attempt,
          manager.getDevice());
      RoundWorker.Result result =
          new RoundWorker(
                  parts.setup(),
                  parts.source(),
                  parts.teacherParts(manager),
                  step -> {
                    endIfAsked();
                    listener.accept(step);
                  })
              .run(
                  manager,
                  start,
                  round,
                  worker,
                  local == null ? null : SafeTensors.open(local),
                  this::keep);
      List<Tuple2<Integer, Delivery>> deliveries = deliveries(result);
      LOG.info(
          "student '{}', round {}, worker {} finished: {} steps, {} tokens",
          run.name(),
          round + 1,
          worker,
          result.reports().size(),
          result.tokens());
      return deliveries.iterator();
    } finally {
      if (local != null && !storage.isLocal(kept)) {
        Files.delete(local); // twice the size of the model, in every round
      }
    }
  }

  /** Ends the task if Spark has asked it to end; the round is repeated. */
  private static void endIfAsked() {
    if (TrainTask.isToEnd()) {
      TrainTask.end();
    }
  }

  private List<Tuple2<Integer, Delivery>> deliveries(RoundWorker.Result result) {
    List<Tuple2<Integer, Delivery>> deliveries = new ArrayList<>();
    byte[][] difference = result.difference();
    long tokens = difference == null ? 0 : result.tokens();
    deliveries.add(new Tuple2<>(REPORT, new Delivery(worker, null, tokens, result.reports())));
    for (int piece = 0; difference != null && piece < difference.length; piece++) {
      OuterStep.WorkerDelta delta = new OuterStep.WorkerDelta(worker, tokens, difference[piece]);
      deliveries.add(new Tuple2<>(piece, new Delivery(worker, delta, 0, List.of())));
    }
    return deliveries;
  }

  private void keep(Map<String, NDArray> moments, Map<String, String> metadata) throws IOException {
    if (run.train().rounds().inner().moments() != TrainSpec.Moments.KEPT) {
      return;
    }
    Map<String, LazyTensor> state = new LinkedHashMap<>();
    moments.forEach((name, moment) -> state.put(Checkpoint.MOMENT + name, LazyTensor.of(moment)));
    java.nio.file.Path file = Files.createTempFile("stillhouse-moments", ".safetensors");
    try {
      SafeTensors.writeLazily(file, state, metadata);
      storage.publishOnce(file, moments(run, round, worker));
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /**
   * Returns the file of a worker's moments after a round. A second attempt writes the same bits.
   */
  static Path moments(StudentRun run, int round, int worker) {
    return new Path(
        new Path(run.checkpoints(), HadoopCheckpoints.MOMENTS),
        format("round-%06d-worker-%03d.safetensors", round, worker));
  }

  /** Returns the mean of one piece, or the reports of all workers; this is the reduce side. */
  static Summed sum(Iterable<Delivery> deliveries, TrainSpec.Delta dtype) {
    List<OuterStep.WorkerDelta> deltas = new ArrayList<>();
    List<Delivery> reports = new ArrayList<>();
    for (Delivery delivery : deliveries) {
      if (delivery.delta() != null) {
        deltas.add(delivery.delta());
      } else {
        reports.add(delivery);
      }
    }
    return new Summed(deltas.isEmpty() ? null : OuterStep.mean(deltas, dtype), reports);
  }

  /** A piece's mean difference, or the workers' reports. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Summed(byte @Nullable [] mean, List<Delivery> reports) implements Serializable {}
}

package io.stillhouse.jobs.train.rounds;

import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.HadoopCheckpoints;
import io.stillhouse.jobs.train.student.StudentParts;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.spec.TrainSpec;
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
import org.jspecify.annotations.Nullable;
import scala.Tuple2;

/** The map side of a round: one worker's steps, and its difference in pieces. */
final class RoundTask {
  /** The key, beside those of the pieces from 0, under which workers tell how it went. */
  static final int REPORT = -1;

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
   * What travels to the reduce side.
   *
   * @param part of a piece, null under {@link #REPORT}
   * @param tokens that the worker was trained on; 0 if its difference was not finite
   * @param reports of its steps, empty beside a part
   */
  record Delivery(int worker, OuterStep.@Nullable Part part, long tokens, List<StepReport> reports)
      implements Serializable {}

  /**
   * Trains.
   *
   * @param start the round's weights
   * @param moments whether the worker has kept any in the round before
   */
  Iterator<Tuple2<Integer, Delivery>> deliver(
      FlatWeights start, boolean moments, Consumer<StepReport> listener) throws IOException {
    StudentParts parts = new StudentParts(run, storage);
    Path kept = moments(run, round - 1, worker);
    java.nio.file.Path local = moments ? storage.local(kept) : null;
    try (NDManager manager = Devices.manager()) {
      RoundWorker.Result result =
          new RoundWorker(parts.setup(), parts.source(), parts.teacherParts(manager), listener)
              .run(
                  manager,
                  start,
                  round,
                  worker,
                  local == null ? null : SafeTensors.open(local),
                  this::keep);
      List<Tuple2<Integer, Delivery>> deliveries = new ArrayList<>();
      boolean finite = result.difference() != null;
      deliveries.add(
          new Tuple2<>(
              REPORT, new Delivery(worker, null, finite ? result.tokens() : 0, result.reports())));
      for (int piece = 0; finite && piece < result.difference().length; piece++) {
        OuterStep.Part part =
            new OuterStep.Part(worker, result.tokens(), result.difference()[piece]);
        deliveries.add(new Tuple2<>(piece, new Delivery(worker, part, 0, List.of())));
      }
      return deliveries.iterator();
    } finally {
      if (local != null && !storage.isLocal(kept)) {
        Files.delete(local); // as large as the model, twice, in every round
      }
    }
  }

  private void keep(Map<String, ai.djl.ndarray.NDArray> moments, Map<String, String> metadata)
      throws IOException {
    if (run.train().rounds().inner().moments() != TrainSpec.Moments.KEPT) {
      return;
    }
    Map<String, LazyTensor> state = new LinkedHashMap<>();
    moments.forEach(
        (name, moment) ->
            state.put(io.stillhouse.train.Checkpoint.MOMENT + name, LazyTensor.of(moment)));
    java.nio.file.Path file = Files.createTempFile("stillhouse-moments", ".safetensors");
    try {
      SafeTensors.writeLazily(file, state, metadata);
      storage.publishOnce(file, moments(run, round, worker));
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /** Returns where a worker's moments after a round lie: never written twice with other bits. */
  static Path moments(StudentRun run, int round, int worker) {
    return new Path(
        new Path(run.checkpoints(), HadoopCheckpoints.MOMENTS),
        "round-%06d-worker-%03d.safetensors".formatted(round, worker));
  }

  /** The reduce side: the mean of one piece, or all workers' reports. */
  static Summed sum(Iterable<Delivery> deliveries, TrainSpec.Delta dtype) {
    List<OuterStep.Part> parts = new ArrayList<>();
    List<Delivery> reports = new ArrayList<>();
    for (Delivery delivery : deliveries) {
      if (delivery.part() != null) {
        parts.add(delivery.part());
      } else {
        reports.add(delivery);
      }
    }
    return new Summed(parts.isEmpty() ? null : OuterStep.mean(parts, dtype), reports);
  }

  /** A piece's mean difference, or what the workers tell. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Summed(byte @Nullable [] mean, List<Delivery> reports) implements Serializable {}
}

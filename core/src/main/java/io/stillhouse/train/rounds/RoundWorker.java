package io.stillhouse.train.rounds;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.target.TargetSource;
import io.stillhouse.train.Checkpoint;
import io.stillhouse.train.FlatWeights;
import io.stillhouse.train.StepReport;
import io.stillhouse.train.StepRunner;
import io.stillhouse.train.Trainer;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Trains one worker in one round: AdamW steps from the round's weights on the worker's own rows.
 * The result depends only on the recipe, the cache, the weights, the round and the worker, so a
 * lost executor loses no state.
 */
public final class RoundWorker {
  /** Metadata key: number of updates of the stored moments. */
  private static final String STEPS = "steps";

  private final Trainer.Setup setup;
  private final TargetSource source;
  private final TeacherParts teacher;
  private final Consumer<StepReport> listener;

  public RoundWorker(
      Trainer.Setup setup,
      TargetSource source,
      TeacherParts teacher,
      Consumer<StepReport> listener) {
    this.setup = setup;
    this.source = source;
    this.teacher = teacher;
    this.listener = listener;
  }

  /**
   * The result of a worker.
   *
   * @param worker number of the worker, from 0
   * @param tokens number of tokens it was trained on
   * @param difference weights at the start minus those at the end, in the pieces of {@link
   *     FlatWeights}; null if the difference is not finite, training diverged, or no step had
   *     finite gradients
   * @param reports the reports of its steps
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Result(
      int worker, long tokens, byte @Nullable [] @Nullable [] difference, List<StepReport> reports)
      implements Serializable {}

  /** Stores the moments of a worker for its next round. */
  public interface MomentsSink {
    /**
     * Stores moments.
     *
     * @param metadata to write to the file of the moments
     */
    void keep(Map<String, NDArray> moments, Map<String, String> metadata) throws IOException;
  }

  /**
   * Trains one round.
   *
   * @param manager parent of temporary managers; owns no new arrays afterwards
   * @param start the round's weights
   * @param moments stored moments of the worker, or null if there are none
   * @param sink receives the moments at the end; not called if there is no difference
   */
  public Result run(
      NDManager manager,
      FlatWeights start,
      int round,
      int worker,
      @Nullable SafeTensors moments,
      MomentsSink sink)
      throws IOException {
    RoundSchedule schedule = new RoundSchedule(setup.train(), setup.rows(source));
    RoundSchedule.Share share = schedule.share(round, worker);
    List<StepReport> reports = new ArrayList<>();
    long tokens = 0;
    long end = share.firstBatch() + share.steps();
    try (NDManager scope = manager.newSubManager()) {
      Map<String, NDArray> weights = start.tensors(scope);
      try (StepRunner runner = StepRunner.open(scope, setup, weights, teacher, source, end)) {
        if (moments != null) {
          new Checkpoint(moments, 0).restore(Checkpoint.MOMENT, runner.moments(), scope);
        }
        long before = moments == null ? 0 : stepsOf(moments);
        for (int step = 0; step < share.steps() && !runner.diverged(); step++) {
          StepReport report =
              runner.run(
                  new StepRunner.Step(
                      share.firstBatch() + step,
                      before + step + 1,
                      schedule.learningRate(share, step),
                      schedule.stepOf(round, worker, step),
                      schedule.steps()));
          tokens += report.work().tokens();
          reports.add(report.withTokensSeen(tokens));
          listener.accept(StepReport.withRecentWork(reports));
        }
        byte[][] difference =
            runner.diverged() || runner.neverUpdated() ? null : difference(start, weights);
        if (difference != null) {
          sink.keep(runner.moments(), Map.of(STEPS, Long.toString(before + reports.size())));
        }
        return new Result(worker, tokens, difference, reports);
      }
    }
  }

  private static long stepsOf(SafeTensors moments) {
    return Long.parseLong(Objects.requireNonNull(moments.metadata().get(STEPS), STEPS));
  }

  private byte @Nullable [][] difference(FlatWeights start, Map<String, NDArray> weights) {
    FlatWeights end = start.of(weights);
    byte[][] difference = new byte[start.pieces()][];
    for (int piece = 0; piece < difference.length; piece++) {
      byte[] numbers =
          DeltaCodec.difference(
              start.piece(piece), end.piece(piece), setup.train().rounds().inner().delta());
      if (numbers == null) {
        return null;
      }
      difference[piece] = numbers;
    }
    return difference;
  }
}

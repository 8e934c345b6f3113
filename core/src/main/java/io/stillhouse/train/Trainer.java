package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.error.Errors;
import io.stillhouse.loss.Counts;
import io.stillhouse.loss.TeacherParts;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * One worker: plain AdamW over the cached targets, its state carried from checkpoint to checkpoint.
 *
 * <p>Each step is a function of the seed, the step and the weights, so a run that stops and resumes
 * ends in the same bits as one that does not.
 */
public final class Trainer {
  static final int MAX_BAD_STEPS = 5;

  private final Setup setup;
  private final TargetSource source;
  private final CheckpointStore checkpoints;
  private final Consumer<StepReport> listener;

  /**
   * What is trained, and how.
   *
   * @param fingerprint names the recipe and the cache; a checkpoint with another fingerprint is
   *     refused
   */
  public record Setup(ModelSpec student, DistillSpec loss, TrainSpec train, String fingerprint) {
    RowOrder order(TargetSource source) {
      return new RowOrder(
          source.unitRows(), train.rowsPerStep(), train.unitsOfBlock(), train.run().seed());
    }
  }

  public Trainer(
      Setup setup,
      TargetSource source,
      CheckpointStore checkpoints,
      Consumer<StepReport> listener) {
    this.setup = setup;
    this.source = source;
    this.checkpoints = checkpoints;
    this.listener = listener;
  }

  /**
   * Trains {@code weights} in place to the last step, from the newest checkpoint if there is one.
   *
   * @param manager owns the optimiser's state while it runs
   * @param weights the initial student: every tensor of its spec, and a projection for each mapped
   *     state whose width differs
   * @param teacher rebuilds the targets that are not stored
   */
  public void run(NDManager manager, Map<String, NDArray> weights, TeacherParts teacher)
      throws IOException {
    TrainSpec train = setup.train();
    RowOrder order = setup.order(source);
    long steps = train.steps(order.rows());
    int badSteps = 0;
    try (Worker worker = new Worker(manager, setup, weights, teacher);
        Feed feed = new Feed(source, order, steps)) {
      for (long step = resume(manager, weights, worker, steps); step < steps; step++) {
        long start = System.nanoTime();
        List<Example> rows = feed.step(step);
        long read = System.nanoTime();
        double rate = train.learningRate(step, steps);
        Worker.Outcome outcome = worker.step(rows, step, step + 1, rate);
        badSteps = Double.isFinite(outcome.gradientNorm()) ? 0 : badSteps + 1;
        if (badSteps == MAX_BAD_STEPS) {
          throw Errors.invalid(
              "the gradients of %d steps in a row, up to step %d, were not finite (terms %s)"
                  .formatted(badSteps, step + 1, outcome.terms()),
              "lower train.learning-rate (%s), or set train.clip-norm"
                  .formatted(train.optimiser().learningRate()));
        }
        long end = System.nanoTime();
        listener.accept(
            new StepReport(
                step + 1,
                steps,
                outcome.loss(),
                outcome.terms(),
                new StepReport.Optimiser(rate, outcome.gradientNorm()),
                new StepReport.Work(
                    Counts.of(rows).tokens(), (end - start) / 1e9, (read - start) / 1e9)));
        int every = train.run().checkpointEvery();
        if (every > 0 && (step + 1) % every == 0 && step + 1 < steps) {
          checkpoint(step + 1, weights, worker);
        }
      }
    }
  }

  private void checkpoint(long step, Map<String, NDArray> weights, Worker worker)
      throws IOException {
    Map<String, LazyTensor> state = new LinkedHashMap<>();
    weights.forEach(
        (name, weight) -> state.put(Checkpoint.PARAMETER + name, LazyTensor.of(weight)));
    worker
        .moments()
        .forEach((name, moment) -> state.put(Checkpoint.MOMENT + name, LazyTensor.of(moment)));
    Checkpoint.publish(checkpoints, setup.fingerprint(), step, state);
  }

  /** Loads the newest checkpoint, if any, and returns the steps done. */
  private long resume(NDManager manager, Map<String, NDArray> weights, Worker worker, long steps)
      throws IOException {
    Optional<Checkpoint> newest = Checkpoint.newest(checkpoints, setup.fingerprint());
    if (newest.isEmpty()) {
      return 0;
    }
    Checkpoint checkpoint = newest.get();
    checkpoint.restore(Checkpoint.PARAMETER, weights, manager);
    if (checkpoint.steps() < steps) { // after the last round there are none, and none are needed
      checkpoint.restore(Checkpoint.MOMENT, worker.moments(), manager);
    }
    return checkpoint.steps();
  }
}

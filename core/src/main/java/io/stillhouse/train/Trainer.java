package io.stillhouse.train;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.PrunedHeads;
import io.stillhouse.spec.Teachers;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Trains a student with AdamW on cached targets, and writes checkpoints.
 *
 * <p>Each step depends only on the seed, the step and the state, so a run that stops and resumes
 * ends with the same bits as an uninterrupted run.
 */
public final class Trainer {
  private final Setup setup;
  private final TargetSource source;
  private final CheckpointStore checkpoints;
  private final Consumer<StepReport> listener;
  private final @Nullable Measure measure;

  /** Measures weights on rows that they are not trained on; larger is better. */
  public interface Measure {
    double of(Map<String, NDArray> weights) throws IOException;
  }

  /**
   * The student to train, and how to train it.
   *
   * @param loss loss with respect to the first teacher
   * @param teachers additional teachers
   * @param pruned heads whose weights are kept at zero
   * @param fingerprint identifies the recipe and the cache; a checkpoint with another fingerprint
   *     is rejected
   */
  public record Setup(
      ModelSpec student,
      DistillSpec loss,
      Teachers teachers,
      TrainSpec train,
      PrunedHeads pruned,
      String fingerprint) {
    /** Creates a setup with one teacher and without pruning. */
    Setup(ModelSpec student, DistillSpec loss, TrainSpec train, String fingerprint) {
      this(student, loss, Teachers.SINGLE, train, PrunedHeads.NONE, fingerprint);
    }

    /** Returns the number of rows of a source. */
    public long rows(TargetSource source) {
      return order(source).rows();
    }

    RowOrder order(TargetSource source) {
      return RowOrder.of(train, source.shardRows());
    }
  }

  Trainer(
      Setup setup,
      TargetSource source,
      CheckpointStore checkpoints,
      Consumer<StepReport> listener) {
    this(setup, source, checkpoints, listener, null);
  }

  /**
   * Creates a trainer that can keep the best weights.
   *
   * @param measure the measure by which the recipe selects weights; null if it keeps the last
   *     weights
   */
  public Trainer(
      Setup setup,
      TargetSource source,
      CheckpointStore checkpoints,
      Consumer<StepReport> listener,
      @Nullable Measure measure) {
    this.setup = setup;
    this.source = source;
    this.checkpoints = checkpoints;
    this.listener = listener;
    this.measure = measure;
  }

  /**
   * Trains {@code weights} in place up to the last step, starting from the newest checkpoint if
   * there is one.
   *
   * @param manager owns the state of the optimizer
   * @param weights the initial student: every tensor of its spec, and the projections of mapped
   *     states
   * @param teacher computes the targets that are not stored
   */
  void run(NDManager manager, Map<String, NDArray> weights, TeacherParts teacher)
      throws IOException {
    try (Run run = begin(manager, weights, teacher)) {
      while (run.step()) {
        // the listener reports
      }
    }
  }

  /** Begins a training like {@link #run}, but the caller takes the steps one at a time. */
  public Run begin(NDManager manager, Map<String, NDArray> weights, TeacherParts teacher)
      throws IOException {
    long end = setup.train().steps(setup.rows(source));
    return new Run(
        manager, weights, StepRunner.open(manager, setup, weights, teacher, source, end));
  }

  /** Begins a training with rows from a feed that several students share. */
  Run begin(NDManager manager, Map<String, NDArray> weights, TeacherParts teacher, Prefetcher feed)
      throws IOException {
    return new Run(manager, weights, new StepRunner(manager, setup, weights, teacher, feed));
  }

  /** A training in progress. It starts from the newest checkpoint. */
  public final class Run implements AutoCloseable {
    private final Map<String, NDArray> weights;
    private final long steps;
    private final long perEpoch;
    private final StepRunner runner;
    private final @Nullable BestWeights best;
    private long done;

    private Run(NDManager manager, Map<String, NDArray> weights, StepRunner runner)
        throws IOException {
      this.weights = weights;
      this.runner = runner;
      long rows = setup.rows(source);
      this.steps = setup.train().steps(rows);
      this.perEpoch = setup.train().stepsPerEpoch(rows);
      this.best =
          measure == null ? null : new BestWeights(setup.train().selection(), measure, manager);
      try {
        this.done = resume(manager, weights, runner, best, steps);
      } catch (IOException | RuntimeException e) {
        runner.close();
        throw e;
      }
    }

    /** Returns the number of steps done, including those before a restart. */
    long stepsDone() {
      return done;
    }

    /** Returns the number of steps of the whole training. */
    long steps() {
      return steps;
    }

    /** Returns whether no steps are left. */
    public boolean isFinished() {
      return done >= steps || best != null && best.exhausted();
    }

    /** Returns which weights were selected, or null if the recipe keeps the last ones. */
    public TrainSpec.@Nullable KeptStep keptStep() {
      return best == null ? null : best.keptStep();
    }

    /**
     * Takes one step and writes a checkpoint if one is due. Returns false if no steps were left.
     */
    public boolean step() throws IOException {
      if (isFinished()) {
        return false;
      }
      TrainSpec train = setup.train();
      double rate = train.learningRate(done, steps);
      StepReport report = runner.run(new StepRunner.Step(done, done + 1, rate, done + 1, steps));
      if (runner.diverged()) {
        throw Errors.invalid(
            format(
                "the gradients of %d steps in a row, up to step %d, were not finite (terms %s)",
                runner.badSteps(), report.step(), report.terms()),
            format(
                "lower train.learning-rate (%s), or set train.max-grad-norm",
                train.optimizer().learningRate()));
      }
      listener.accept(report);
      done++;
      if (best != null) {
        best.after(done, perEpoch, steps, weights);
        if (isFinished()) {
          best.restoreBest(weights);
          return true;
        }
      }
      int interval = train.run().checkpointEvery();
      boolean due = interval > 0 && done % interval == 0 || checkpoints.isRequested(done);
      if (due && done < steps) {
        checkpoint();
      }
      return true;
    }

    /** Writes a checkpoint now. */
    public void checkpoint() throws IOException {
      Trainer.this.checkpoint(done, weights, runner, best);
    }

    @Override
    public void close() {
      runner.close();
    }
  }

  private void checkpoint(
      long step, Map<String, NDArray> weights, StepRunner runner, @Nullable BestWeights best)
      throws IOException {
    Map<String, LazyTensor> state = new LinkedHashMap<>();
    weights.forEach(
        (name, weight) -> state.put(Checkpoint.PARAMETER + name, LazyTensor.of(weight)));
    runner
        .moments()
        .forEach((name, moment) -> state.put(Checkpoint.MOMENT + name, LazyTensor.of(moment)));
    if (best != null) {
      state.putAll(best.state());
    }
    Checkpoint.publish(
        checkpoints, setup.fingerprint(), step, state, best == null ? Map.of() : best.metadata());
  }

  /** Restores the newest checkpoint, if any, and returns the number of steps done. */
  private long resume(
      NDManager manager,
      Map<String, NDArray> weights,
      StepRunner runner,
      @Nullable BestWeights best,
      long steps)
      throws IOException {
    Optional<Checkpoint> newest = Checkpoint.newest(checkpoints, setup.fingerprint());
    if (newest.isEmpty()) {
      return 0;
    }
    Checkpoint checkpoint = newest.get();
    checkpoint.restore(Checkpoint.PARAMETER, weights, manager);
    if (checkpoint.steps() < steps) { // a checkpoint after the last round has no moments
      checkpoint.restore(Checkpoint.MOMENT, runner.moments(), manager);
    }
    if (best != null) {
      best.restore(checkpoint, weights);
    }
    return checkpoint.steps();
  }
}

package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.PrunedHeads;
import io.stillhouse.spec.Teachers;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One worker: plain AdamW over the cached targets, its state carried from checkpoint to checkpoint.
 *
 * <p>Each step is a function of the seed, the step and the weights, so a run that stops and resumes
 * ends in the same bits as one that does not.
 */
public final class Trainer {
  public static final int MAX_BAD_STEPS = 5;

  private final Setup setup;
  private final TargetSource source;
  private final CheckpointStore checkpoints;
  private final Consumer<StepReport> listener;
  private final @Nullable Measure measure;

  /** How good weights are over rows that they are not trained on; larger is better. */
  public interface Measure {
    double of(Map<String, NDArray> weights) throws IOException;
  }

  /**
   * What is trained, and how.
   *
   * @param loss of the first teacher
   * @param teachers who else teaches
   * @param pruned heads that begin at zero and stay there
   * @param fingerprint names the recipe and the cache; a checkpoint with another fingerprint is
   *     refused
   */
  public record Setup(
      ModelSpec student,
      DistillSpec loss,
      Teachers teachers,
      TrainSpec train,
      PrunedHeads pruned,
      String fingerprint) {
    /** As the record, of one teacher, every head trained. */
    public Setup(ModelSpec student, DistillSpec loss, TrainSpec train, String fingerprint) {
      this(student, loss, Teachers.ALONE, train, PrunedHeads.NONE, fingerprint);
    }

    public RowOrder order(TargetSource source) {
      return RowOrder.of(train, source.shardRows());
    }
  }

  public Trainer(
      Setup setup,
      TargetSource source,
      CheckpointStore checkpoints,
      Consumer<StepReport> listener) {
    this(setup, source, checkpoints, listener, null);
  }

  /**
   * As {@link #Trainer(Setup, TargetSource, CheckpointStore, Consumer)}.
   *
   * @param measure what the recipe's selection goes by; null if it keeps the last weights
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
   * Trains {@code weights} in place to the last step, from the newest checkpoint if there is one.
   *
   * @param manager owns the optimiser's state while it runs
   * @param weights the initial student: every tensor of its spec, and a projection for each mapped
   *     state whose width differs
   * @param teacher rebuilds the targets that are not stored
   */
  public void run(NDManager manager, Map<String, NDArray> weights, TeacherParts teacher)
      throws IOException {
    try (Run run = begin(manager, weights, teacher)) {
      while (run.step()) {
        // the listener tells
      }
    }
  }

  /** As {@link #run}, a step at a time, for who has more to do between them. */
  public Run begin(NDManager manager, Map<String, NDArray> weights, TeacherParts teacher)
      throws IOException {
    RowOrder order = setup.order(source);
    Prefetcher feed = new Prefetcher(source, order, setup.train().steps(order.rows()));
    try {
      return new Run(manager, weights, teacher, feed, feed);
    } catch (IOException | RuntimeException e) {
      feed.close();
      throw e;
    }
  }

  /** As {@link #begin}, from rows that others read, too, and somebody else closes. */
  Run begin(NDManager manager, Map<String, NDArray> weights, TeacherParts teacher, Prefetcher feed)
      throws IOException {
    return new Run(manager, weights, teacher, feed, null);
  }

  /** A training under way, which began where its newest checkpoint ends. */
  public final class Run implements AutoCloseable {
    private final Map<String, NDArray> weights;
    private final Prefetcher feed;
    private final @Nullable Prefetcher own;
    private final long steps;
    private final long perEpoch;
    private final Worker worker;
    private final @Nullable BestWeights best;
    private long done;
    private int badSteps;

    private Run(
        NDManager manager,
        Map<String, NDArray> weights,
        TeacherParts teacher,
        Prefetcher feed,
        @Nullable Prefetcher own)
        throws IOException {
      this.weights = weights;
      this.feed = feed;
      this.own = own;
      long rows = setup.order(source).rows();
      this.steps = setup.train().steps(rows);
      this.perEpoch = setup.train().stepsPerEpoch(rows);
      this.best =
          measure == null ? null : new BestWeights(setup.train().selection(), measure, manager);
      this.worker = new Worker(manager, setup, weights, teacher);
      try {
        this.done = resume(manager, weights, worker, best, steps);
      } catch (IOException | RuntimeException e) {
        worker.close();
        throw e;
      }
    }

    /** Returns the steps done, earlier ones included. */
    public long done() {
      return done;
    }

    /** Returns the steps of the whole training. */
    public long steps() {
      return steps;
    }

    /** Returns whether no step is left to take. */
    public boolean ended() {
      return done >= steps || best != null && best.exhausted();
    }

    /** Returns which weights were kept; null where those of the last step are. */
    public TrainSpec.@Nullable Chosen chosen() {
      return best == null ? null : best.chosen();
    }

    /** Takes one step, and writes a checkpoint where one is due; false if none was left to take. */
    public boolean step() throws IOException {
      if (ended()) {
        return false;
      }
      TrainSpec train = setup.train();
      long step = done;
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
            "lower train.learning-rate (%s), or set train.max-grad-norm"
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
      done = step + 1;
      if (best != null) {
        best.after(done, perEpoch, steps, weights);
        if (ended()) {
          best.settle(weights);
          return true;
        }
      }
      int every = train.run().checkpointEvery();
      boolean due = every > 0 && done % every == 0 || checkpoints.wanted(done);
      if (due && done < steps) {
        checkpoint();
      }
      return true;
    }

    /** Writes a checkpoint of the steps done. */
    public void checkpoint() throws IOException {
      Trainer.this.checkpoint(done, weights, worker, best);
    }

    @Override
    public void close() {
      worker.close();
      if (own != null) {
        own.close();
      }
    }
  }

  private void checkpoint(
      long step, Map<String, NDArray> weights, Worker worker, @Nullable BestWeights best)
      throws IOException {
    Map<String, LazyTensor> state = new LinkedHashMap<>();
    weights.forEach(
        (name, weight) -> state.put(Checkpoint.PARAMETER + name, LazyTensor.of(weight)));
    worker
        .moments()
        .forEach((name, moment) -> state.put(Checkpoint.MOMENT + name, LazyTensor.of(moment)));
    if (best != null) {
      state.putAll(best.state());
    }
    Checkpoint.publish(
        checkpoints, setup.fingerprint(), step, state, best == null ? Map.of() : best.metadata());
  }

  /** Loads the newest checkpoint, if any, and returns the steps done. */
  private long resume(
      NDManager manager,
      Map<String, NDArray> weights,
      Worker worker,
      @Nullable BestWeights best,
      long steps)
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
    if (best != null) {
      best.restore(checkpoint, weights);
    }
    return checkpoint.steps();
  }
}

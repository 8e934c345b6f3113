package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Runs the optimizer steps of one student: reads the rows of each step, times the step, and counts
 * the steps whose gradients are not finite. {@link AdamW} skips the update of such a step.
 */
public final class StepRunner implements AutoCloseable {
  private static final int MAX_BAD_STEPS = 5;

  private final Worker worker;
  private final Prefetcher feed;
  private final @Nullable Prefetcher ownFeed;
  private int badSteps;
  private boolean anyFinite;

  /** Creates a runner that reads from a feed which the caller closes. */
  StepRunner(
      NDManager manager,
      Trainer.Setup setup,
      Map<String, NDArray> weights,
      TeacherParts teacher,
      Prefetcher feed) {
    this(new Worker(manager, setup, weights, teacher), feed, null);
  }

  private StepRunner(Worker worker, Prefetcher feed, @Nullable Prefetcher ownFeed) {
    this.worker = worker;
    this.feed = feed;
    this.ownFeed = ownFeed;
  }

  /**
   * Opens a runner with its own feed.
   *
   * @param manager owns the optimizer's moments, which are 0 at first
   * @param weights every tensor of the student and its projections; trained in place
   * @param teacher computes the targets that are not stored
   * @param end the batch before which this runner stops; no rows are read for it
   */
  public static StepRunner open(
      NDManager manager,
      Trainer.Setup setup,
      Map<String, NDArray> weights,
      TeacherParts teacher,
      TargetSource source,
      long end) {
    Prefetcher feed = new Prefetcher(source, setup.order(source), end);
    try {
      return new StepRunner(new Worker(manager, setup, weights, teacher), feed, feed);
    } catch (RuntimeException e) {
      feed.close();
      throw e;
    }
  }

  /**
   * One step to run.
   *
   * @param batch the batch of rows to train on, from 0; also seeds dropout
   * @param adamStep how many updates the moments have seen, including this one
   * @param learningRate learning rate of this step
   * @param number number of the step in the report, from 1
   * @param steps number of steps of the whole run, for the report
   */
  public record Step(long batch, long adamStep, double learningRate, long number, long steps) {}

  /** Runs one step. Its tokens are the only ones that the report counts as seen. */
  public StepReport run(Step step) throws IOException {
    long start = System.nanoTime();
    List<Example> rows = feed.step(step.batch());
    long read = System.nanoTime();
    Worker.Outcome outcome = worker.step(rows, step.batch(), step.adamStep(), step.learningRate());
    boolean finite = Double.isFinite(outcome.gradientNorm());
    badSteps = finite ? 0 : badSteps + 1;
    anyFinite |= finite;
    long end = System.nanoTime();
    long tokens = Counts.of(rows).tokens();
    return new StepReport(
        step.number(),
        step.steps(),
        outcome.loss(),
        outcome.terms(),
        new StepReport.Optimizer(step.learningRate(), outcome.gradientNorm()),
        new StepReport.Work(tokens, (end - start) / 1e9, (read - start) / 1e9),
        tokens);
  }

  /** Returns the number of consecutive steps, up to the last one, with non-finite gradients. */
  int badSteps() {
    return badSteps;
  }

  /** Returns whether training must stop after too many steps in a row with non-finite gradients. */
  public boolean diverged() {
    return badSteps >= MAX_BAD_STEPS;
  }

  /** Returns whether steps were run and none of them had finite gradients. */
  public boolean neverUpdated() {
    return badSteps > 0 && !anyFinite;
  }

  /** Returns the optimizer's moments by name. */
  public Map<String, NDArray> moments() {
    return worker.moments();
  }

  @Override
  public void close() {
    worker.close();
    if (ownFeed != null) {
      ownFeed.close();
    }
  }
}

package io.stillhouse.spec;

import java.io.Serializable;

/**
 * How a student is trained.
 *
 * @param epochs passes over the data
 * @param batching how rows are divided into steps
 * @param optimizer AdamW and its schedule
 * @param rounds how several workers train one student
 * @param run seed, threads, checkpoints
 * @param selection which weights are kept
 */
public record TrainSpec(
    int epochs, Batching batching, Optimizer optimizer, Rounds rounds, Run run, Selection selection)
    implements Serializable {

  /** Creates a spec that keeps the weights of the last step. */
  public TrainSpec(int epochs, Batching batching, Optimizer optimizer, Rounds rounds, Run run) {
    this(epochs, batching, optimizer, rounds, run, Selection.LAST);
  }

  /** Returns a copy with another number of threads. */
  public TrainSpec withThreads(int threads) {
    Run with = new Run(run.maxSteps(), run.seed(), threads, run.checkpointEvery(), run.precision());
    return new TrainSpec(epochs, batching, optimizer, rounds, with, selection);
  }

  /**
   * Returns a copy that takes as many steps with some of the rows as this spec takes with all, in
   * as many epochs as that needs, and that evaluates as often.
   *
   * @param some number of rows that are trained on, at least 1
   * @param all number of rows that determine the number of steps
   */
  public TrainSpec withRows(long some, long all) {
    long steps = steps(all);
    long perEpoch = stepsPerEpoch(some);
    int needed = Math.toIntExact((steps + perEpoch - 1) / perEpoch);
    long every = selection.evalEvery() == 0 ? stepsPerEpoch(all) : selection.evalEvery();
    return new TrainSpec(
        needed,
        batching,
        optimizer,
        rounds,
        new Run(steps, run.seed(), run.threads(), run.checkpointEvery(), run.precision()),
        selection.keep() == Keep.LAST
            ? selection
            : new Selection(Keep.BEST, selection.by(), every, selection.patience()));
  }

  /** Returns a copy with another selection of weights. */
  public TrainSpec withSelection(Selection other) {
    return new TrainSpec(epochs, batching, optimizer, rounds, run, other);
  }

  /**
   * How rows are divided into steps.
   *
   * @param batchSize rows of one optimizer step, the papers' batch size
   * @param microBatchTokens tokens computed at once, including padding; it determines memory, not
   *     the loss
   * @param shuffleShards number of shards whose rows are shuffled together
   * @param order the order of the shards
   */
  public record Batching(int batchSize, int microBatchTokens, int shuffleShards, Order order)
      implements Serializable {}

  /** Order of the shards in an epoch; rows are shuffled either way. */
  public enum Order {
    /** Shuffled in each epoch. */
    SHUFFLED,
    /** The order of the plan, in which shards are written. */
    PLAN
  }

  /**
   * PyTorch's AdamW with linear warm-up and decay.
   *
   * @param learningRate the peak learning rate
   * @param warmupSteps number of steps over which the rate rises from 0; a value below 1 is a share
   *     of all steps
   * @param betas decay rates and epsilon of the moments
   * @param weightDecay decoupled weight decay; biases and LayerNorm weights have none
   * @param maxGradNorm maximum global norm of the gradient; 0 for no clipping
   */
  public record Optimizer(
      double learningRate, double warmupSteps, Betas betas, double weightDecay, double maxGradNorm)
      implements Serializable {}

  /**
   * Decay rates of the first and second moment, and the term added to the square root of the
   * second.
   */
  public record Betas(double first, double second, double epsilon) implements Serializable {}

  /**
   * Training in rounds (DiLoCo: Douillard et al. 2023, arXiv:2311.08105): workers train the same
   * student from the same weights, each on its own rows, and the driver applies the mean of their
   * differences.
   *
   * @param workers logical workers, independent of the number of executors; with 1 there are rounds
   *     only if {@link #lookahead} is set
   * @param steps steps of each worker in a round
   * @param outer how the driver applies the mean difference
   * @param inner what a worker keeps between rounds
   * @param lookahead whether a single worker is also trained in rounds
   */
  public record Rounds(int workers, int steps, Outer outer, Inner inner, boolean lookahead)
      implements Serializable {
    /** One worker, no rounds. */
    public static final Rounds NONE =
        new Rounds(
            1, 50, new Outer(0.7, 0.5, 3), new Inner(Moments.RESET, 5, Delta.FLOAT32), false);

    /** Returns whether there are rounds. */
    public boolean used() {
      return workers > 1 || lookahead;
    }
  }

  /**
   * Nesterov momentum over rounds: {@code v = momentum v + d; weights -= rate (d + momentum v)}.
   *
   * @param maxBad the number of rounds in a row, each with a difference that is not finite and left
   *     out, after which training stops
   */
  public record Outer(double learningRate, double momentum, int maxBad) implements Serializable {}

  /**
   * What a worker keeps and sends.
   *
   * @param moments AdamW's moments at the start of a round
   * @param warmup steps at the start of a round over which the rate rises, if moments are reset
   * @param delta the type in which differences are sent
   */
  public record Inner(Moments moments, int warmup, Delta delta) implements Serializable {}

  /** Whether AdamW's moments are kept from one round to the next. */
  public enum Moments {
    RESET,
    KEPT
  }

  /** The type in which differences of weights are sent. */
  public enum Delta {
    FLOAT32,
    FLOAT16
  }

  /**
   * How a training runs.
   *
   * @param maxSteps maximum number of steps of all workers together; 0 for no limit
   * @param seed seed of shuffling, dropout and random initialization
   * @param threads number of libtorch's threads; sums depend on it, so it is part of the recipe
   * @param checkpointEvery steps between checkpoints
   * @param precision precision of the products of linear layers, forward and backward
   */
  public record Run(long maxSteps, long seed, int threads, int checkpointEvery, Precision precision)
      implements Serializable {}

  /**
   * Which weights a training keeps.
   *
   * @param keep those of the last step, or the best ones over the validation rows
   * @param by the name of a metric, or {@code loss}
   * @param evalEvery steps between evaluations; 0 evaluates after each epoch
   * @param patience number of evaluations in a row without improvement after which training stops;
   *     0 for no limit
   */
  public record Selection(Keep keep, String by, long evalEvery, int patience)
      implements Serializable {
    /** Keeps the last weights, without evaluations. */
    public static final Selection LAST = new Selection(Keep.LAST, "loss", 0, 0);
  }

  /** Whether the last or the best weights are kept. */
  public enum Keep {
    LAST,
    BEST
  }

  /** The weights that were kept: the measure, their step, and their value; larger is better. */
  public record KeptStep(String by, long step, double value) implements Serializable {}

  public int batchSize() {
    return batching.batchSize();
  }

  public int microBatchTokens() {
    return batching.microBatchTokens();
  }

  public int shuffleShards() {
    return batching.shuffleShards();
  }

  /** Returns the number of optimizer steps for a number of rows. */
  public long steps(long rows) {
    long all = stepsPerEpoch(rows) * epochs;
    return run.maxSteps() > 0 ? Math.min(all, run.maxSteps()) : all;
  }

  /** Returns the number of steps of one epoch; the last one may hold fewer rows. */
  public long stepsPerEpoch(long rows) {
    return (rows + batchSize() - 1) / batchSize();
  }

  /** Returns the number of steps of one worker, its share of {@code steps}. */
  public long stepsOfWorker(long steps) {
    return (steps + rounds.workers() - 1) / rounds.workers();
  }

  /** Returns the learning rate of a step, counted from 0, of {@code steps}. */
  public double learningRate(long step, long steps) {
    double given = optimizer.warmupSteps();
    double warmupSteps = given < 1 ? Math.ceil(given * steps) : given;
    double factor =
        step < warmupSteps
            ? step / warmupSteps
            : (steps - step) / Math.max(1.0, steps - warmupSteps);
    return optimizer.learningRate() * factor;
  }
}

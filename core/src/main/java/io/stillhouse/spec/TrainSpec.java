package io.stillhouse.spec;

import java.io.Serializable;

/**
 * How a student is trained.
 *
 * @param epochs passes over the data
 * @param batching how rows make up steps
 * @param optimiser AdamW and its schedule
 * @param rounds how several workers train one student
 * @param run seed, threads, checkpoints
 * @param selection which of the weights on the way are kept
 */
public record TrainSpec(
    int epochs, Batching batching, Optimiser optimiser, Rounds rounds, Run run, Selection selection)
    implements Serializable {

  /** Trains to the last step, whose weights are kept. */
  public TrainSpec(int epochs, Batching batching, Optimiser optimiser, Rounds rounds, Run run) {
    this(epochs, batching, optimiser, rounds, run, Selection.LAST);
  }

  /** Returns the same on so many threads. */
  public TrainSpec withThreads(int threads) {
    Run with = new Run(run.maxSteps(), run.seed(), threads, run.checkpointEvery(), run.precision());
    return new TrainSpec(epochs, batching, optimiser, rounds, with, selection);
  }

  /** Returns the same with another choice of weights. */
  public TrainSpec withSelection(Selection other) {
    return new TrainSpec(epochs, batching, optimiser, rounds, run, other);
  }

  /**
   * How rows make up steps.
   *
   * @param batchSize rows of one optimiser step, the papers' batch size
   * @param tokensPerMicroBatch tokens computed at once; memory, not the result's meaning, depends
   *     on it
   * @param shardsOfBlock shards whose rows are shuffled together
   * @param order of the shards
   */
  public record Batching(int batchSize, int tokensPerMicroBatch, int shardsOfBlock, Order order)
      implements Serializable {}

  /** Order of the shards in an epoch; rows are shuffled inside either way. */
  public enum Order {
    /** Another in each epoch. */
    SHUFFLED,
    /** The plan's: shards are read in the order in which they are written. */
    PLAN
  }

  /**
   * PyTorch's AdamW under linear warm-up and decay.
   *
   * @param learningRate its peak
   * @param warmupSteps steps over which the rate rises from 0, or below 1 their share of all steps
   * @param betas decay rates and epsilon of the moments
   * @param weightDecay decoupled; none on biases and LayerNorm
   * @param maxGradNorm upper bound of the global gradient norm; 0 for none
   */
  public record Optimiser(
      double learningRate, double warmupSteps, Betas betas, double weightDecay, double maxGradNorm)
      implements Serializable {}

  /** Decay rates of the first and second moment, and the term added to the root of the second. */
  public record Betas(double first, double second, double epsilon) implements Serializable {}

  /**
   * Workers that train the same student from the same weights, each on its own rows, and what
   * becomes of their means (DiLoCo: Douillard et al. 2023, arXiv:2311.08105).
   *
   * @param workers logical workers, whatever the number of executors; with 1 there are no rounds
   *     but under {@link #lookahead}
   * @param steps of each worker in a round
   * @param outer what the driver does with the mean difference
   * @param inner what a worker does between rounds
   * @param lookahead whether one worker is trained in rounds, too
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
   * Nesterov's momentum over rounds: {@code v = momentum v + d; weights -= rate (d + momentum v)}.
   *
   * @param maxBad rounds in a row that may lack a worker whose difference was not finite
   */
  public record Outer(double learningRate, double momentum, int maxBad) implements Serializable {}

  /**
   * What a worker keeps and sends.
   *
   * @param moments AdamW's, at a round's start
   * @param warmup steps at the start of a round over which the rate rises, where moments are reset
   * @param delta what a difference travels as
   */
  public record Inner(Moments moments, int warmup, Delta delta) implements Serializable {}

  /** AdamW's moments from one round to the next. */
  public enum Moments {
    RESET,
    KEPT
  }

  /** What differences of weights travel as. */
  public enum Delta {
    FLOAT32,
    FLOAT16
  }

  /**
   * What does not change the task.
   *
   * @param maxSteps stops after so many steps, those of all workers together; 0 for none
   * @param seed of shuffling, dropout and random initialisation
   * @param threads of libtorch; sums depend on it, so it is part of the recipe
   * @param checkpointEvery steps between checkpoints
   * @param precision of the linear layers' products, forward and backward
   */
  public record Run(long maxSteps, long seed, int threads, int checkpointEvery, Precision precision)
      implements Serializable {}

  /**
   * Which weights a training ends with.
   *
   * @param keep the last step's, or the best by held-out rows
   * @param by a metric's name, or {@code loss}
   * @param everySteps steps between measurements; 0 for an epoch's
   * @param patience measurements in a row without a better one that end the training; 0 for none
   */
  public record Selection(Keep keep, String by, long everySteps, int patience)
      implements Serializable {
    /** What needs no measuring. */
    public static final Selection LAST = new Selection(Keep.LAST, "loss", 0, 0);
  }

  /** The weights that are kept. */
  public enum Keep {
    LAST,
    BEST
  }

  /** The weights that were kept: after which step, and how good they were; larger is better. */
  public record Chosen(String by, long step, double value) implements Serializable {}

  public int batchSize() {
    return batching.batchSize();
  }

  public int tokensPerMicroBatch() {
    return batching.tokensPerMicroBatch();
  }

  public int shardsOfBlock() {
    return batching.shardsOfBlock();
  }

  /** Returns the number of optimiser steps over so many rows. */
  public long steps(long rows) {
    long all = stepsPerEpoch(rows) * epochs;
    return run.maxSteps() > 0 ? Math.min(all, run.maxSteps()) : all;
  }

  /** Returns the number of steps of one epoch; the last one may hold fewer rows. */
  public long stepsPerEpoch(long rows) {
    return (rows + batchSize() - 1) / batchSize();
  }

  /** Returns the number of steps in which one worker takes its share of {@code steps}. */
  public long stepsOfWorker(long steps) {
    return (steps + rounds.workers() - 1) / rounds.workers();
  }

  /** Returns the learning rate of a step counted from 0, of {@code steps} in all. */
  public double learningRate(long step, long steps) {
    double given = optimiser.warmupSteps();
    double warmupSteps = given < 1 ? Math.ceil(given * steps) : given;
    double factor =
        step < warmupSteps
            ? step / warmupSteps
            : (steps - step) / Math.max(1.0, steps - warmupSteps);
    return optimiser.learningRate() * factor;
  }
}

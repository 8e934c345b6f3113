package io.stillhouse.spec;

import java.io.Serializable;

/**
 * How a student is trained.
 *
 * @param epochs passes over the data
 * @param rowsPerStep rows of one optimiser step, the papers' batch size
 * @param tokensPerMicroBatch padded tokens computed at once; memory, not the result's meaning,
 *     depends on it
 * @param optimiser AdamW and its schedule
 * @param run seed, threads, checkpoints
 */
public record TrainSpec(
    int epochs, int rowsPerStep, int tokensPerMicroBatch, Optimiser optimiser, Run run)
    implements Serializable {

  /**
   * PyTorch's AdamW under linear warm-up and decay.
   *
   * @param learningRate its peak
   * @param warmup share of all steps over which the rate rises from 0
   * @param betas decay rates and epsilon of the moments
   * @param weightDecay decoupled; none on biases and LayerNorm
   * @param clipNorm upper bound of the global gradient norm; 0 for none
   */
  public record Optimiser(
      double learningRate, double warmup, Betas betas, double weightDecay, double clipNorm)
      implements Serializable {}

  /** Decay rates of the first and second moment, and the term added to the root of the second. */
  public record Betas(double first, double second, double epsilon) implements Serializable {}

  /**
   * What does not change the task.
   *
   * @param maxSteps stops after so many steps; 0 for none
   * @param seed of shuffling, dropout and random initialisation
   * @param threads of libtorch; sums depend on it, so it is part of the recipe
   * @param checkpointEvery steps between checkpoints
   */
  public record Run(long maxSteps, long seed, int threads, int checkpointEvery)
      implements Serializable {}

  /** Returns the number of optimiser steps over so many rows. */
  public long steps(long rows) {
    long all = stepsPerEpoch(rows) * epochs;
    return run.maxSteps() > 0 ? Math.min(all, run.maxSteps()) : all;
  }

  /** Returns the number of steps of one epoch; the last one may hold fewer rows. */
  public long stepsPerEpoch(long rows) {
    return (rows + rowsPerStep - 1) / rowsPerStep;
  }

  /** Returns the learning rate of a step counted from 0, of {@code steps} in all. */
  public double learningRate(long step, long steps) {
    double warmupSteps = Math.ceil(optimiser.warmup() * steps);
    double factor =
        step < warmupSteps
            ? step / warmupSteps
            : (steps - step) / Math.max(1.0, steps - warmupSteps);
    return optimiser.learningRate() * factor;
  }
}

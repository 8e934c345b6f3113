package io.stillhouse.train.rounds;

import io.stillhouse.spec.TrainSpec;

/**
 * Assigns the steps of a run to rounds and workers, depending only on the recipe and the number of
 * rows. A round takes the next {@code workers x steps} steps of the run. Each worker takes
 * consecutive steps, so that it reads few shards.
 */
public final class RoundSchedule {
  private final TrainSpec train;
  private final long steps;

  /**
   * The steps of one worker in one round.
   *
   * @param firstBatch the first step of the run, from 0, that the worker takes
   * @param steps number of steps the worker takes
   * @param firstStep number of steps a worker took in earlier rounds
   */
  public record Share(long firstBatch, int steps, long firstStep) {}

  /**
   * @param rows number of rows of the cache
   */
  public RoundSchedule(TrainSpec train, long rows) {
    this.train = train;
    this.steps = train.steps(rows);
  }

  /** Returns the number of steps of all workers in all rounds. */
  long steps() {
    return steps;
  }

  public int rounds() {
    return Math.toIntExact((steps + perRound() - 1) / perRound());
  }

  /** Returns the number of steps of all workers after {@code rounds} rounds. */
  public long stepsAfter(int rounds) {
    return Math.min(steps, rounds * perRound());
  }

  /**
   * Returns the share of a worker. Rounds and workers are counted from 0. The last round may be
   * shorter.
   */
  public Share share(int round, int worker) {
    int workers = train.rounds().workers();
    long left = stepsAfter(round + 1) - stepsAfter(round);
    long size = left / workers;
    long more = left % workers;
    return new Share(
        stepsAfter(round) + worker * size + Math.min(worker, more),
        Math.toIntExact(size + (worker < more ? 1 : 0)),
        (long) round * train.rounds().steps());
  }

  /**
   * Returns the number, from 1, of a worker's step among the steps of all workers, which are
   * numbered in turns.
   */
  long stepOf(int round, int worker, int step) {
    return stepsAfter(round) + (long) step * train.rounds().workers() + worker + 1;
  }

  /**
   * Returns a worker's learning rate.
   *
   * @param step step of the share, from 0
   */
  double learningRate(Share share, int step) {
    double rate = train.learningRate(share.firstStep() + step, train.stepsOfWorker(steps));
    int warmup = train.rounds().inner().warmup();
    boolean rises = train.rounds().inner().moments() == TrainSpec.Moments.RESET && step < warmup;
    return rises ? rate * (step + 1) / (warmup + 1) : rate;
  }

  private long perRound() {
    return (long) train.rounds().workers() * train.rounds().steps();
  }
}

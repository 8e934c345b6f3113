package io.stillhouse.train.rounds;

import io.stillhouse.spec.TrainSpec;

/**
 * Which of a run's steps each worker of each round takes: a function of the recipe and the number
 * of rows. A round takes the next {@code workers x steps} of the run's steps, and each of its
 * workers consecutive ones, so that it reads few shards.
 */
public final class RoundSchedule {
  private final TrainSpec train;
  private final long steps;

  /**
   * The part of one worker in one round.
   *
   * @param firstBatch the run's step, from 0, whose rows it takes first
   * @param steps how many it takes
   * @param firstStep how many steps a worker has taken in the rounds before
   */
  public record Share(long firstBatch, int steps, long firstStep) {}

  /**
   * @param rows of the cache
   */
  public RoundSchedule(TrainSpec train, long rows) {
    this.train = train;
    this.steps = train.steps(rows);
  }

  /** Returns the steps of all workers in all rounds. */
  long steps() {
    return steps;
  }

  public int rounds() {
    return Math.toIntExact((steps + perRound() - 1) / perRound());
  }

  /** Returns the steps of all workers together when so many rounds are done. */
  public long stepsAfter(int rounds) {
    return Math.min(steps, rounds * perRound());
  }

  /**
   * Returns a worker's part; rounds and workers are counted from 0. In the last round it is less.
   */
  public Share share(int round, int worker) {
    int workers = train.rounds().workers();
    long left = stepsAfter(round + 1) - stepsAfter(round);
    long each = left / workers;
    long more = left % workers;
    return new Share(
        stepsAfter(round) + worker * each + Math.min(worker, more),
        Math.toIntExact(each + (worker < more ? 1 : 0)),
        (long) round * train.rounds().steps());
  }

  /** Returns the number, from 1, that a worker's step has among those of all, taken in turns. */
  long stepOf(int round, int worker, int step) {
    return stepsAfter(round) + (long) step * train.rounds().workers() + worker + 1;
  }

  /**
   * Returns a worker's learning rate.
   *
   * @param step of its share, from 0
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

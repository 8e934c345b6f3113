package io.stillhouse.train;

import io.stillhouse.spec.TrainSpec;
import java.util.List;

/**
 * Computes which shards a training in the order of the plan has started to read, and which it no
 * longer needs, at each step. It depends only on the recipe and the numbers of rows of the shards.
 */
public final class ShardSchedule {
  private final TrainSpec train;
  private final RowOrder order;
  private final int shards;
  private final long steps;
  private final long stepsPerEpoch;

  /**
   * @param train the training, which must read shards in the order of the plan
   * @param shardRows number of rows of each shard
   */
  public ShardSchedule(TrainSpec train, List<Integer> shardRows) {
    if (train.batching().order() != TrainSpec.Order.PLAN) {
      throw new IllegalArgumentException("the order of shards must be PLAN: " + train.batching());
    }
    this.train = train;
    this.order = RowOrder.of(train, shardRows);
    this.shards = shardRows.size();
    this.steps = train.steps(order.rows());
    this.stepsPerEpoch = train.stepsPerEpoch(order.rows());
  }

  /** Returns the number of steps of the whole run. */
  public long steps() {
    return steps;
  }

  /** Returns whether shards are read again in a second epoch. */
  public boolean hasSecondEpoch() {
    return steps > stepsPerEpoch;
  }

  /** Returns how many leading shards are not read by any step after {@code stepsDone} steps. */
  public int shardsFinished(long stepsDone) {
    if (stepsDone >= steps) {
      return shards;
    }
    return stepsDone / stepsPerEpoch < (steps - 1) / stepsPerEpoch
        ? 0
        : order.firstShard(stepsDone);
  }

  /** Returns how many leading shards the first {@code stepsDone} steps read. */
  public int shardsStarted(long stepsDone) {
    if (stepsDone > stepsPerEpoch) {
      return shards;
    }
    return stepsDone == 0 ? 0 : order.endShard(Math.min(stepsDone, steps) - 1);
  }

  /**
   * Returns the maximum number of shards that must exist at the same time if each is deleted after
   * its last use.
   */
  public int maxLiveShards() {
    long stride =
        train.rounds().used() ? (long) train.rounds().workers() * train.rounds().steps() : 1;
    int max = 0;
    for (long step = 0; step < steps; step += stride) {
      max = Math.max(max, shardsStarted(Math.min(step + stride, steps)) - shardsFinished(step));
    }
    return max;
  }
}

package io.stillhouse.train;

import io.stillhouse.spec.TrainSpec;
import java.util.List;

/**
 * Which shards a training in the plan's order has begun, and with which it is done, at each of its
 * steps: a function of the recipe and the shards' rows.
 */
public final class ShardSchedule {
  private final TrainSpec train;
  private final RowOrder order;
  private final int shards;
  private final long steps;
  private final long stepsPerEpoch;

  /**
   * @param train whose shards are in the plan's order
   * @param shardRows rows of each shard
   */
  public ShardSchedule(TrainSpec train, List<Integer> shardRows) {
    if (train.batching().order() != TrainSpec.Order.PLAN) {
      throw new IllegalArgumentException("shards in the plan's order: " + train.batching());
    }
    this.train = train;
    this.order = RowOrder.of(train, shardRows);
    this.shards = shardRows.size();
    this.steps = train.steps(order.rows());
    this.stepsPerEpoch = train.stepsPerEpoch(order.rows());
  }

  /** Returns the steps of the whole run. */
  public long steps() {
    return steps;
  }

  /** Returns whether some shards are read again after all were read. */
  public boolean readsAgain() {
    return steps > stepsPerEpoch;
  }

  /** Returns how many shards, from the first on, no step reads once so many are done. */
  public int done(long stepsDone) {
    if (stepsDone >= steps) {
      return shards;
    }
    return stepsDone / stepsPerEpoch < (steps - 1) / stepsPerEpoch ? 0 : order.firstShard(stepsDone);
  }

  /** Returns how many shards, from the first on, the first so many steps read. */
  public int begun(long stepsDone) {
    if (stepsDone > stepsPerEpoch) {
      return shards;
    }
    return stepsDone == 0 ? 0 : order.endShard(Math.min(stepsDone, steps) - 1);
  }

  /**
   * Returns the most shards that must be there at once, each let go after the last step of its own.
   */
  public int mostAtOnce() {
    long stride =
        train.rounds().used() ? (long) train.rounds().workers() * train.rounds().steps() : 1;
    int most = 0;
    for (long step = 0; step < steps; step += stride) {
      most = Math.max(most, begun(Math.min(step + stride, steps)) - done(step));
    }
    return most;
  }
}

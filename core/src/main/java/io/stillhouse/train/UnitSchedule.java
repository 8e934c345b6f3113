package io.stillhouse.train;

import io.stillhouse.spec.TrainSpec;
import java.util.List;

/**
 * Which units a training in the plan's order has begun, and with which it is done, at each of its
 * steps: a function of the recipe and the units' rows.
 */
public final class UnitSchedule {
  private final TrainSpec train;
  private final RowOrder order;
  private final int units;
  private final long steps;
  private final long stepsPerEpoch;

  /**
   * @param train whose units are in the plan's order
   * @param unitRows rows of each unit
   */
  public UnitSchedule(TrainSpec train, List<Integer> unitRows) {
    if (train.batching().order() != TrainSpec.Order.PLAN) {
      throw new IllegalArgumentException("units in the plan's order: " + train.batching());
    }
    this.train = train;
    this.order = RowOrder.of(train, unitRows);
    this.units = unitRows.size();
    this.steps = train.steps(order.rows());
    this.stepsPerEpoch = train.stepsPerEpoch(order.rows());
  }

  /** Returns the steps of the whole run. */
  public long steps() {
    return steps;
  }

  /** Returns whether some units are read again after all were read. */
  public boolean readsAgain() {
    return steps > stepsPerEpoch;
  }

  /** Returns how many units, from the first on, no step reads once so many are done. */
  public int done(long stepsDone) {
    if (stepsDone >= steps) {
      return units;
    }
    return stepsDone / stepsPerEpoch < (steps - 1) / stepsPerEpoch ? 0 : order.firstUnit(stepsDone);
  }

  /** Returns how many units, from the first on, the first so many steps read. */
  public int begun(long stepsDone) {
    if (stepsDone > stepsPerEpoch) {
      return units;
    }
    return stepsDone == 0 ? 0 : order.endUnit(Math.min(stepsDone, steps) - 1);
  }

  /**
   * Returns the most units that must be there at once, each let go after the last step of its own.
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

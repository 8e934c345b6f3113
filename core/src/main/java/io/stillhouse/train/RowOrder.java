package io.stillhouse.train;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * The rows of every step, as a function of the seed alone: units are permuted per epoch, rows
 * within each unit. A run resumes in mid-epoch without replaying what came before.
 */
final class RowOrder {
  private final List<Integer> unitRows;
  private final int rowsPerStep;
  private final long seed;
  private final long rows;

  /** A row of a unit. */
  record Place(int unit, int row) {}

  RowOrder(List<Integer> unitRows, int rowsPerStep, long seed) {
    this.unitRows = List.copyOf(unitRows);
    this.rowsPerStep = rowsPerStep;
    this.seed = seed;
    this.rows = unitRows.stream().mapToLong(Integer::longValue).sum();
  }

  long rows() {
    return rows;
  }

  /** Returns where the rows of a step lie, counted from 0. */
  List<Place> step(long step) {
    long stepsPerEpoch = (rows + rowsPerStep - 1) / rowsPerStep;
    long epoch = step / stepsPerEpoch;
    long from = step % stepsPerEpoch * rowsPerStep;
    long to = Math.min(from + rowsPerStep, rows);
    List<Place> places = new ArrayList<>(rowsPerStep);
    long unitStart = 0;
    for (int unit : permutation(unitRows.size(), mix(seed, epoch))) {
      long unitEnd = unitStart + unitRows.get(unit);
      if (unitEnd > from && unitStart < to) {
        int[] order = permutation(unitRows.get(unit), mix(mix(seed, epoch), unit + 1L));
        for (long at = Math.max(from, unitStart); at < Math.min(to, unitEnd); at++) {
          places.add(new Place(unit, order[(int) (at - unitStart)]));
        }
      }
      unitStart = unitEnd;
    }
    return places;
  }

  /** Mixes two numbers into one whose bits all depend on both (the finaliser of SplitMix64). */
  static long mix(long a, long b) {
    long z = a * 0x9E3779B97F4A7C15L + b + 0x632BE59BD9B4E019L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  private static int[] permutation(int size, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int[] order = new int[size];
    for (int i = 0; i < size; i++) {
      int j = random.nextInt(i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }
}

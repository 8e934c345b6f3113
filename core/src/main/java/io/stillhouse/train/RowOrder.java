package io.stillhouse.train;

import io.stillhouse.spec.TrainSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The rows of every step, as a function of the seed alone: units are permuted per epoch, or stay in
 * the plan's order, and are read a block at a time, the shuffle buffer, whose rows are permuted
 * together. A run resumes in mid-epoch without replaying what came before.
 */
final class RowOrder {
  private final List<Integer> unitRows;
  private final int rowsPerStep;
  private final int unitsOfBlock;
  private final TrainSpec.Order units;
  private final long seed;
  private final long rows;
  private @Nullable Epoch epoch;
  private @Nullable Block block;

  /** A row of a unit. */
  record Place(int unit, int row) {}

  /** The units of an epoch in their order, and how many rows lie before each, and in all. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Epoch(long number, int[] units, long[] before) {}

  /** The rows of a block in their order, as row among all rows of its units. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Block(long epoch, int number, int[] order) {}

  /**
   * Makes the order of units that are permuted per epoch.
   *
   * @param unitRows rows of each unit
   * @param unitsOfBlock how many units are shuffled together
   */
  RowOrder(List<Integer> unitRows, int rowsPerStep, int unitsOfBlock, long seed) {
    this(unitRows, rowsPerStep, unitsOfBlock, TrainSpec.Order.SHUFFLED, seed);
  }

  /** Makes the order that a recipe says. */
  static RowOrder of(TrainSpec train, List<Integer> unitRows) {
    return new RowOrder(
        unitRows,
        train.rowsPerStep(),
        train.unitsOfBlock(),
        train.batching().order(),
        train.run().seed());
  }

  private RowOrder(
      List<Integer> unitRows, int rowsPerStep, int unitsOfBlock, TrainSpec.Order units, long seed) {
    this.unitRows = List.copyOf(unitRows);
    this.rowsPerStep = rowsPerStep;
    this.unitsOfBlock = unitsOfBlock;
    this.units = units;
    this.seed = seed;
    this.rows = unitRows.stream().mapToLong(Integer::longValue).sum();
  }

  long rows() {
    return rows;
  }

  /** Returns where the rows of a step lie, counted from 0. */
  List<Place> step(long step) {
    long number = step / stepsPerEpoch();
    long from = step % stepsPerEpoch() * rowsPerStep;
    long to = Math.min(from + rowsPerStep, rows);
    List<Place> places = new ArrayList<>(rowsPerStep);
    for (long at = from; at < to; at++) {
      places.add(place(number, at));
    }
    return places;
  }

  /**
   * Returns the units of the blocks that a step reads, then those of the block after them, if a
   * step before {@code end} reads that; blocks follow each other across epochs.
   */
  List<Integer> units(long step, long end) {
    long last = Math.min((step % stepsPerEpoch() + 1) * rowsPerStep, rows) - 1;
    long first = step % stepsPerEpoch() * rowsPerStep;
    Epoch now = epoch(step / stepsPerEpoch());
    int to = blockAt(now, last);
    List<Integer> units = new ArrayList<>();
    for (int number = blockAt(now, first); number <= to; number++) {
      addUnits(now, number, units);
    }
    int next = to + 1;
    boolean ends = now.before()[Math.min(next * unitsOfBlock, now.units().length)] == rows;
    long nextStep =
        ends
            ? (now.number() + 1) * stepsPerEpoch()
            : now.number() * stepsPerEpoch() + now.before()[next * unitsOfBlock] / rowsPerStep;
    if (nextStep < end) {
      addUnits(ends ? epoch(now.number() + 1) : now, ends ? 0 : next, units);
    }
    return units;
  }

  /**
   * Returns the place in its epoch's order of the first unit of the first block that a step reads.
   */
  int firstUnit(long step) {
    return blockAt(epoch(step / stepsPerEpoch()), step % stepsPerEpoch() * rowsPerStep)
        * unitsOfBlock;
  }

  /** Returns the place after the last unit of the last block that a step reads. */
  int endUnit(long step) {
    long last = Math.min((step % stepsPerEpoch() + 1) * rowsPerStep, rows) - 1;
    int block = blockAt(epoch(step / stepsPerEpoch()), last);
    return Math.min((block + 1) * unitsOfBlock, unitRows.size());
  }

  private void addUnits(Epoch of, int number, List<Integer> units) {
    int to = Math.min((number + 1) * unitsOfBlock, of.units().length);
    for (int i = number * unitsOfBlock; i < to; i++) {
      units.add(of.units()[i]);
    }
  }

  private Place place(long number, long at) {
    Epoch now = epoch(number);
    int of = blockAt(now, at);
    int first = of * unitsOfBlock;
    long start = now.before()[first];
    int[] order = order(now, of);
    long row = start + order[(int) (at - start)];
    int unit = first;
    while (now.before()[unit + 1] <= row) {
      unit++;
    }
    return new Place(now.units()[unit], (int) (row - now.before()[unit]));
  }

  private int blockAt(Epoch of, long at) {
    int low = 0;
    int high = of.units().length - 1;
    while (low < high) {
      int middle = (low + high) / 2;
      if (of.before()[middle + 1] <= at) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low / unitsOfBlock;
  }

  private Epoch epoch(long number) {
    Epoch now = epoch;
    if (now == null || now.number() != number) {
      int[] all =
          units == TrainSpec.Order.PLAN
              ? IntStream.range(0, unitRows.size()).toArray()
              : permutation(unitRows.size(), mix(seed, number));
      long[] before = new long[all.length + 1];
      for (int i = 0; i < all.length; i++) {
        before[i + 1] = before[i] + unitRows.get(all[i]);
      }
      now = new Epoch(number, all, before);
      epoch = now;
    }
    return now;
  }

  private int[] order(Epoch of, int number) {
    Block now = block;
    if (now == null || now.epoch() != of.number() || now.number() != number) {
      int first = number * unitsOfBlock;
      int last = Math.min(first + unitsOfBlock, of.units().length);
      int size = Math.toIntExact(of.before()[last] - of.before()[first]);
      long own = mix(mix(seed, of.number()), of.units()[first] + 1L);
      now = new Block(of.number(), number, permutation(size, own));
      block = now;
    }
    return now.order();
  }

  private long stepsPerEpoch() {
    return (rows + rowsPerStep - 1) / rowsPerStep;
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

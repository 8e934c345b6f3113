package io.stillhouse.train;

import io.stillhouse.spec.TrainSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Determines the rows of every step from the seed. Shards are permuted in each epoch, or stay in
 * the order of the plan. They are read in blocks of several shards (the shuffle buffer), and the
 * rows of a block are permuted together. A run can resume within an epoch without replaying earlier
 * steps.
 */
final class RowOrder {
  private final List<Integer> shardRows;
  private final int batchSize;
  private final int shardsOfBlock;
  private final TrainSpec.Order shards;
  private final long seed;
  private final long rows;
  private @Nullable Epoch epoch;
  private @Nullable Block block;

  /** The position of a row. */
  record Place(int shard, int row) {}

  /**
   * The shards of an epoch in order, and the number of rows before each shard; the last entry is
   * the total.
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Epoch(long number, int[] shards, long[] before) {}

  /** The rows of a block in order, as indices into the rows of all its shards. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Block(long epoch, int number, int[] order) {}

  /**
   * Creates an order with shards permuted in each epoch.
   *
   * @param shardRows number of rows of each shard
   * @param shardsOfBlock number of shards in a block, whose rows are shuffled together
   */
  RowOrder(List<Integer> shardRows, int batchSize, int shardsOfBlock, long seed) {
    this(shardRows, batchSize, shardsOfBlock, TrainSpec.Order.SHUFFLED, seed);
  }

  /** Creates the order of a recipe. */
  static RowOrder of(TrainSpec train, List<Integer> shardRows) {
    return new RowOrder(
        shardRows,
        train.batchSize(),
        train.shuffleShards(),
        train.batching().order(),
        train.run().seed());
  }

  private RowOrder(
      List<Integer> shardRows,
      int batchSize,
      int shardsOfBlock,
      TrainSpec.Order shards,
      long seed) {
    this.shardRows = List.copyOf(shardRows);
    this.batchSize = batchSize;
    this.shardsOfBlock = shardsOfBlock;
    this.shards = shards;
    this.seed = seed;
    this.rows = shardRows.stream().mapToLong(Integer::longValue).sum();
  }

  long rows() {
    return rows;
  }

  /** Returns the positions of the rows of a step. Steps are counted from 0. */
  List<Place> step(long step) {
    long number = step / stepsPerEpoch();
    long from = step % stepsPerEpoch() * batchSize;
    long to = Math.min(from + batchSize, rows);
    List<Place> places = new ArrayList<>(batchSize);
    for (long at = from; at < to; at++) {
      places.add(place(number, at));
    }
    return places;
  }

  /**
   * Returns the shards of the blocks that a step reads, followed by those of the next block if a
   * step before {@code end} reads it. The next block may be in the next epoch.
   */
  List<Integer> shards(long step, long end) {
    long last = Math.min((step % stepsPerEpoch() + 1) * batchSize, rows) - 1;
    long first = step % stepsPerEpoch() * batchSize;
    Epoch now = epoch(step / stepsPerEpoch());
    int to = blockAt(now, last);
    List<Integer> shards = new ArrayList<>();
    for (int number = blockAt(now, first); number <= to; number++) {
      addShards(now, number, shards);
    }
    int next = to + 1;
    boolean ends = now.before()[Math.min(next * shardsOfBlock, now.shards().length)] == rows;
    long nextStep =
        ends
            ? (now.number() + 1) * stepsPerEpoch()
            : now.number() * stepsPerEpoch() + now.before()[next * shardsOfBlock] / batchSize;
    if (nextStep < end) {
      addShards(ends ? epoch(now.number() + 1) : now, ends ? 0 : next, shards);
    }
    return shards;
  }

  /**
   * Returns the index, in the order of its epoch, of the first shard that a step's blocks contain.
   */
  int firstShard(long step) {
    return blockAt(epoch(step / stepsPerEpoch()), step % stepsPerEpoch() * batchSize)
        * shardsOfBlock;
  }

  /** Returns the index after the last shard that a step's blocks contain. */
  int endShard(long step) {
    long last = Math.min((step % stepsPerEpoch() + 1) * batchSize, rows) - 1;
    int block = blockAt(epoch(step / stepsPerEpoch()), last);
    return Math.min((block + 1) * shardsOfBlock, shardRows.size());
  }

  private void addShards(Epoch epoch, int number, List<Integer> shards) {
    int to = Math.min((number + 1) * shardsOfBlock, epoch.shards().length);
    for (int i = number * shardsOfBlock; i < to; i++) {
      shards.add(epoch.shards()[i]);
    }
  }

  private Place place(long number, long at) {
    Epoch now = epoch(number);
    int blockNumber = blockAt(now, at);
    int first = blockNumber * shardsOfBlock;
    long start = now.before()[first];
    int[] order = order(now, blockNumber);
    long row = start + order[(int) (at - start)];
    int shard = first;
    while (now.before()[shard + 1] <= row) {
      shard++;
    }
    return new Place(now.shards()[shard], (int) (row - now.before()[shard]));
  }

  private int blockAt(Epoch epoch, long at) {
    int low = 0;
    int high = epoch.shards().length - 1;
    while (low < high) {
      int middle = (low + high) / 2;
      if (epoch.before()[middle + 1] <= at) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low / shardsOfBlock;
  }

  private Epoch epoch(long number) {
    Epoch now = epoch;
    if (now == null || now.number() != number) {
      int[] all =
          shards == TrainSpec.Order.PLAN
              ? IntStream.range(0, shardRows.size()).toArray()
              : permutation(shardRows.size(), mix(seed, number));
      long[] before = new long[all.length + 1];
      for (int i = 0; i < all.length; i++) {
        before[i + 1] = before[i] + shardRows.get(all[i]);
      }
      now = new Epoch(number, all, before);
      epoch = now;
    }
    return now;
  }

  private int[] order(Epoch epoch, int number) {
    Block now = block;
    if (now == null || now.epoch() != epoch.number() || now.number() != number) {
      int first = number * shardsOfBlock;
      int last = Math.min(first + shardsOfBlock, epoch.shards().length);
      int size = Math.toIntExact(epoch.before()[last] - epoch.before()[first]);
      long blockSeed = mix(mix(seed, epoch.number()), epoch.shards()[first] + 1L);
      now = new Block(epoch.number(), number, permutation(size, blockSeed));
      block = now;
    }
    return now.order();
  }

  private long stepsPerEpoch() {
    return (rows + batchSize - 1) / batchSize;
  }

  /** Hashes two numbers with the finalizer of SplitMix64, so that all bits depend on both. */
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

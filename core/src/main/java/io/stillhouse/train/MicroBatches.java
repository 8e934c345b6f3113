package io.stillhouse.train;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToIntFunction;

/** Cuts rows into batches of like lengths under a budget of padded tokens. */
public final class MicroBatches {
  private MicroBatches() {}

  /** What batches are cut for. */
  public enum Phase {
    TRAINING,
    INFERENCE
  }

  /** What one more batch costs beside its tokens, in tokens. */
  private static long batchCost(Phase phase) {
    return switch (phase) {
      case TRAINING -> 64; // small matrices, and gradients added up once more
      case INFERENCE -> 512; // small products are slow, and padding is hardly computed on
    };
  }

  /**
   * Returns the rows sorted by length and cut where padded tokens and the cost of a batch add up to
   * the least, each batch within {@code tokens}; a longer row is alone. Rows of equal length keep
   * their order.
   *
   * @param tokens the most of rows times longest length
   * @param phase what the batches are for: few in inference, tighter in training
   */
  public static <T> List<List<T>> cut(
      List<T> rows, ToIntFunction<T> length, int tokens, Phase phase) {
    long batchCost = batchCost(phase);
    List<T> sorted = new ArrayList<>(rows);
    sorted.sort(Comparator.comparingInt(length));
    int size = sorted.size();
    // least[end]: the least cost of the first `end` rows; start[end]: where their last batch
    // begins.
    long[] least = new long[size + 1];
    int[] start = new int[size + 1];
    for (int end = 1; end <= size; end++) {
      long longest = length.applyAsInt(sorted.get(end - 1));
      least[end] = Long.MAX_VALUE;
      for (int from = end - 1; from >= 0; from--) {
        long padded = (end - from) * longest;
        if (padded > tokens && from < end - 1) {
          break;
        }
        if (least[from] + padded + batchCost < least[end]) {
          least[end] = least[from] + padded + batchCost;
          start[end] = from;
        }
      }
    }
    List<List<T>> batches = new ArrayList<>();
    for (int end = size; end > 0; end = start[end]) {
      batches.add(0, List.copyOf(sorted.subList(start[end], end)));
    }
    return batches;
  }
}

package io.stillhouse.train;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToIntFunction;

/** Splits rows into batches of similar lengths within a budget of padded tokens. */
public final class MicroBatches {
  private MicroBatches() {}

  /** The purpose of the batches. */
  public enum Phase {
    TRAINING,
    INFERENCE
  }

  /** Returns the fixed cost of a batch, in tokens. */
  private static long batchCost(Phase phase) {
    return switch (phase) {
      case TRAINING -> 64; // small matrices, and one more accumulation of gradients
      case INFERENCE -> 512; // small products are slow, and little is computed on padding
    };
  }

  /**
   * Sorts the rows by length and splits them so that the sum of padded tokens and the fixed costs
   * of batches is minimal. Every batch has at most {@code tokens} padded tokens; a longer row gets
   * its own batch. Rows of equal length keep their order.
   *
   * @param tokens maximum of rows times longest row in a batch
   * @param phase inference prefers fewer batches, training prefers less padding
   */
  public static <T> List<List<T>> split(
      List<T> rows, ToIntFunction<T> length, int tokens, Phase phase) {
    long batchCost = batchCost(phase);
    List<T> sorted = new ArrayList<>(rows);
    sorted.sort(Comparator.comparingInt(length));
    int size = sorted.size();
    // least[end]: the minimal cost of the first `end` rows; start[end]: the first row of their last
    // batch.
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

package io.stillhouse.train;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToIntFunction;

/** Cuts rows into batches of like lengths under a budget of padded tokens. */
public final class MicroBatches {
  /**
   * What one more batch costs beside its tokens, in tokens: small matrices, and gradients added up
   * once more.
   */
  private static final long BATCH_COST = 64;

  private MicroBatches() {}

  /**
   * Returns the rows sorted by length and cut where padded tokens and the cost of a batch add up to
   * the least, each batch within {@code tokens}; a longer row is alone. Rows of equal length keep
   * their order.
   *
   * @param tokens the most of rows times longest length
   */
  public static <T> List<List<T>> cut(List<T> rows, ToIntFunction<T> length, int tokens) {
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
        if (least[from] + padded + BATCH_COST < least[end]) {
          least[end] = least[from] + padded + BATCH_COST;
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

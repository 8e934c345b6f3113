package io.stillhouse.train;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToIntFunction;

/** Cuts rows into batches of like lengths under a budget of padded tokens. */
public final class MicroBatches {
  private MicroBatches() {}

  /**
   * Returns the rows sorted by length, cut so that rows times longest length stays within {@code
   * tokens}; a longer row is alone. Rows of equal length keep their order.
   */
  public static <T> List<List<T>> cut(List<T> rows, ToIntFunction<T> length, int tokens) {
    List<T> sorted = new ArrayList<>(rows);
    sorted.sort(Comparator.comparingInt(length));
    List<List<T>> batches = new ArrayList<>();
    List<T> batch = new ArrayList<>();
    for (T row : sorted) {
      if (!batch.isEmpty() && (long) (batch.size() + 1) * length.applyAsInt(row) > tokens) {
        batches.add(batch);
        batch = new ArrayList<>();
      }
      batch.add(row);
    }
    if (!batch.isEmpty()) {
      batches.add(batch);
    }
    return batches;
  }
}

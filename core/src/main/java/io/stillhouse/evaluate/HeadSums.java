package io.stillhouse.evaluate;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;

/**
 * Sums of the absolute values of head gradients over rows. Tasks compute partial sums, and the
 * driver adds them.
 *
 * @param rows number of rows
 * @param notFinite number of rows with a gradient that is infinite or not a number
 * @param absSums sums of absolute values, by block and head
 * @param squares sums of their squares, by block and head
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record HeadSums(long rows, long notFinite, double[][] absSums, double[][] squares)
    implements Serializable {

  /**
   * Sums the gradients of rows.
   *
   * @param gradients by row, block and head; at least one row
   */
  public static HeadSums of(double[][][] gradients) {
    long notFinite =
        Arrays.stream(gradients)
            .filter(
                row ->
                    !Arrays.stream(row).flatMapToDouble(Arrays::stream).allMatch(Double::isFinite))
            .count();
    HeadSums sums = zeros(gradients.length, notFinite, gradients[0]);
    for (double[][] row : gradients) {
      for (int block = 0; block < row.length; block++) {
        for (int head = 0; head < row[block].length; head++) {
          double size = Math.abs(row[block][head]);
          sums.absSums[block][head] += size;
          sums.squares[block][head] += size * size;
        }
      }
    }
    return sums;
  }

  /** Adds partial sums in the given order. */
  public static HeadSums total(List<HeadSums> parts) {
    HeadSums total =
        zeros(
            parts.stream().mapToLong(HeadSums::rows).sum(),
            parts.stream().mapToLong(HeadSums::notFinite).sum(),
            parts.get(0).absSums);
    for (HeadSums part : parts) {
      add(total.absSums, part.absSums);
      add(total.squares, part.squares);
    }
    return total;
  }

  private static HeadSums zeros(long rows, long notFinite, double[][] like) {
    return new HeadSums(
        rows,
        notFinite,
        new double[like.length][like[0].length],
        new double[like.length][like[0].length]);
  }

  private static void add(double[][] to, double[][] numbers) {
    for (int block = 0; block < to.length; block++) {
      for (int head = 0; head < to[block].length; head++) {
        to[block][head] += numbers[block][head];
      }
    }
  }
}

package io.stillhouse.model;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.List;

/**
 * Rows of token ids, padded to the longest row.
 *
 * @param idsBL token ids, int64; 0 at padding
 * @param typesBL segment ids, int64; 0 at padding
 * @param maskBL1 1 at real tokens and 0 at padding, float32
 * @param lengths number of real tokens of each row
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record Batch(NDArray idsBL, NDArray typesBL, NDArray maskBL1, int[] lengths) {

  /** Pads rows of token ids and segment ids; the tensors belong to {@code manager}. */
  public static Batch of(NDManager manager, List<int[]> ids, List<int[]> types) {
    int rows = ids.size();
    int longest = ids.stream().mapToInt(row -> row.length).max().orElse(0);
    long[] flatIds = new long[rows * longest];
    long[] flatTypes = new long[rows * longest];
    float[] mask = new float[rows * longest];
    int[] lengths = new int[rows];
    for (int row = 0; row < rows; row++) {
      int[] rowIds = ids.get(row);
      int[] rowTypes = types.get(row);
      lengths[row] = rowIds.length;
      for (int t = 0; t < rowIds.length; t++) {
        flatIds[row * longest + t] = rowIds[t];
        flatTypes[row * longest + t] = rowTypes[t];
        mask[row * longest + t] = 1f;
      }
    }
    return new Batch(
        manager.create(flatIds, new Shape(rows, longest)),
        manager.create(flatTypes, new Shape(rows, longest)),
        manager.create(mask, new Shape(rows, longest, 1)),
        lengths);
  }

  /**
   * Returns consecutive rows with the same padded length; their tensors are views.
   *
   * @param from first row, inclusive
   * @param to end row, exclusive
   */
  public Batch rows(int from, int to) {
    String rows = format("%d:%d", from, to);
    return new Batch(
        idsBL.get(rows),
        typesBL.get(rows),
        maskBL1.get(rows),
        Arrays.copyOfRange(lengths, from, to));
  }

  /** Returns the number of rows. */
  public int rows() {
    return lengths.length;
  }

  /** Returns the padded length. */
  public int longest() {
    return (int) idsBL.getShape().get(1);
  }

  /** Returns the number of real tokens. */
  public long tokens() {
    long total = 0;
    for (int length : lengths) {
      total += length;
    }
    return total;
  }

  /** Returns the indices of the real tokens among the padded ones, row by row. */
  public long[] realTokens() {
    long[] tokens = new long[Math.toIntExact(tokens())];
    int at = 0;
    for (int row = 0; row < lengths.length; row++) {
      for (int t = 0; t < lengths[row]; t++) {
        tokens[at++] = (long) row * longest() + t;
      }
    }
    return tokens;
  }

  /** Returns the number of pairs of real tokens, over all rows. */
  public long pairs() {
    long total = 0;
    for (int length : lengths) {
      total += (long) length * length;
    }
    return total;
  }
}

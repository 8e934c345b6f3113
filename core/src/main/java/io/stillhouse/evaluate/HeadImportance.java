package io.stillhouse.evaluate;

import static io.stillhouse.error.Text.format;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * The importance of the heads of a block: {@code I_h = E_x |dL/dxi_h|} (Michel et al. 2019,
 * arXiv:1905.10650, section 4.1), the mean over rows of the absolute value of {@link
 * HeadGradients}.
 *
 * @param block number of the block, from 1
 * @param importance importance of each head
 * @param standardErrors standard errors of the importances over rows; the norm by which importances
 *     are divided is treated as a constant
 * @param ranks rank of each head among the heads of all blocks; 1 is the most important
 */
public record HeadImportance(
    int block, List<Double> importance, List<Double> standardErrors, List<Integer> ranks) {

  /** How importances are normalized. */
  public enum Normalize {
    /** Divided by the L2 norm of the block, as in the paper. */
    LAYER,
    NONE
  }

  private record At(int block, int head, double importance) {}

  /**
   * Computes the importances of every block.
   *
   * @param sums sums over at least two rows
   */
  public static List<HeadImportance> of(HeadSums sums, Normalize normalize) {
    long rows = sums.rows();
    if (rows < 2) {
      throw new IllegalArgumentException(
          format("a standard error needs at least 2 rows, but there are %d", rows));
    }
    double[][] means = new double[sums.absSums().length][];
    double[][] errors = new double[means.length][];
    List<At> all = new ArrayList<>();
    for (int block = 0; block < means.length; block++) {
      double[] absSums = sums.absSums()[block];
      means[block] = new double[absSums.length];
      errors[block] = new double[absSums.length];
      for (int head = 0; head < absSums.length; head++) {
        double mean = absSums[head] / rows;
        double variance =
            Math.max(0, sums.squares()[block][head] - rows * mean * mean) / (rows - 1);
        means[block][head] = mean;
        errors[block][head] = Math.sqrt(variance / rows);
      }
      double norm = Math.sqrt(Arrays.stream(means[block]).map(mean -> mean * mean).sum());
      if (normalize == Normalize.LAYER && norm > 0) {
        for (int head = 0; head < absSums.length; head++) {
          means[block][head] /= norm;
          errors[block][head] /= norm;
        }
      }
      for (int head = 0; head < absSums.length; head++) {
        all.add(new At(block, head, means[block][head]));
      }
    }
    all.sort(Comparator.comparingDouble(At::importance).reversed());
    Integer[][] ranks = new Integer[means.length][means[0].length];
    for (int rank = 1; rank <= all.size(); rank++) {
      At at = all.get(rank - 1);
      ranks[at.block()][at.head()] = rank;
    }
    List<HeadImportance> blocks = new ArrayList<>();
    for (int block = 0; block < means.length; block++) {
      blocks.add(
          new HeadImportance(
              block + 1,
              Arrays.stream(means[block]).boxed().toList(),
              Arrays.stream(errors[block]).boxed().toList(),
              List.of(ranks[block])));
    }
    return blocks;
  }
}

package io.stillhouse.evaluate;

import static io.stillhouse.error.Text.format;

import java.util.ArrayList;
import java.util.List;

/**
 * Linear centered kernel alignment: how similar two representations of the same rows are, up to a
 * rotation and a scale (Kornblith et al. 2019, arXiv:1905.00414, section 3).
 *
 * <p>HSIC is estimated without bias (Song et al. 2012, equation 5), unlike in the paper. The
 * paper's estimate is too high if there are not many more rows than dimensions: two unrelated
 * representations of width 768 have a similarity of 0.4 over 1,000 rows. The similarity of equal
 * representations is 1; that of unrelated ones is near 0, and can be slightly negative.
 */
public final class Cka {
  /** The smallest number of rows for which the estimate is defined. */
  public static final int MIN_ROWS = 4;

  private Cka() {}

  /**
   * Returns the similarity of every representation in {@code a} to every one in {@code b}.
   *
   * @param a for each representation, one vector for each row, shape (N, any width)
   * @param b likewise, for the same rows
   * @return shape (a, b); NaN for representations that hardly differ between rows
   * @throws IllegalArgumentException if there are fewer than {@link #MIN_ROWS} rows, or the numbers
   *     of rows differ
   */
  public static double[][] between(List<float[][]> a, List<float[][]> b) {
    List<double[]> kernelsOfB = new ArrayList<>();
    b.forEach(rows -> kernelsOfB.add(centeredKernel(rows)));
    double[][] similarities = new double[a.size()][b.size()];
    for (int i = 0; i < a.size(); i++) {
      double[] kernel = centeredKernel(a.get(i));
      for (int j = 0; j < b.size(); j++) {
        similarities[i][j] = similarity(kernel, kernelsOfB.get(j));
      }
    }
    return similarities;
  }

  private static double similarity(double[] k, double[] l) {
    if (k.length != l.length) {
      throw new IllegalArgumentException("the representations have different numbers of rows");
    }
    double own = dot(k, k) * dot(l, l);
    return own > 0 ? dot(k, l) / Math.sqrt(own) : Double.NaN;
  }

  /**
   * Returns the U-centered linear kernel above its diagonal. The unbiased HSIC of two kernels is
   * the dot product of these, up to a factor that cancels (Szekely and Rizzo 2014, section 3.1).
   */
  private static double[] centeredKernel(float[][] rows) {
    int n = rows.length;
    if (n < MIN_ROWS) {
      throw new IllegalArgumentException(
          format("CKA needs at least %d rows, but there are %d", MIN_ROWS, n));
    }
    double[][] centered = centered(rows);
    double[] kernel = new double[n * (n - 1) / 2];
    double[] sums = new double[n];
    double total = 0;
    int at = 0;
    for (int i = 0; i < n; i++) {
      for (int j = i + 1; j < n; j++) {
        double value = dot(centered[i], centered[j]);
        kernel[at++] = value;
        sums[i] += value;
        sums[j] += value;
        total += 2 * value;
      }
    }
    double largest = 0;
    at = 0;
    for (int i = 0; i < n; i++) {
      for (int j = i + 1; j < n; j++) {
        kernel[at] += total / ((n - 1.0) * (n - 2)) - (sums[i] + sums[j]) / (n - 2);
        largest = Math.max(largest, Math.abs(kernel[at++]));
      }
    }
    return scaled(kernel, largest);
  }

  /** Divides by the largest number, so that squares neither overflow nor underflow. */
  private static double[] scaled(double[] kernel, double largest) {
    for (int at = 0; at < kernel.length && largest > 0; at++) {
      kernel[at] /= largest;
    }
    return kernel;
  }

  /** Subtracts the mean row, which changes no similarity but keeps products small. */
  private static double[][] centered(float[][] rows) {
    int width = rows[0].length;
    double[] mean = new double[width];
    for (float[] row : rows) {
      for (int d = 0; d < width; d++) {
        mean[d] += row[d] / (double) rows.length;
      }
    }
    double[][] centered = new double[rows.length][width];
    for (int row = 0; row < rows.length; row++) {
      for (int d = 0; d < width; d++) {
        centered[row][d] = rows[row][d] - mean[d];
      }
    }
    return centered;
  }

  private static double dot(double[] a, double[] b) {
    // Four sums, because a processor can add them at the same time.
    int fours = a.length - a.length % 4;
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    for (int d = 0; d < fours; d += 4) {
      s0 += a[d] * b[d];
      s1 += a[d + 1] * b[d + 1];
      s2 += a[d + 2] * b[d + 2];
      s3 += a[d + 3] * b[d + 3];
    }
    for (int d = fours; d < a.length; d++) {
      s0 += a[d] * b[d];
    }
    return s0 + s1 + s2 + s3;
  }
}

package io.stillhouse.evaluate;

import static io.stillhouse.error.Text.format;

import java.util.ArrayList;
import java.util.List;

/**
 * How well predicted probabilities match the frequencies of what they predict (Guo et al. 2017,
 * arXiv:1706.04599, section 2).
 *
 * @param rows number of predictions
 * @param meanProbability mean predicted probability; NaN without predictions
 * @param rate share of predictions that came true; NaN without predictions
 * @param expectedError expected calibration error: the mean over predictions of the absolute
 *     difference between the rate and the mean probability of their bin; NaN without predictions
 * @param bins bins of equal width, which cover the probabilities from 0 to 1
 */
public record Calibration(
    int rows, double meanProbability, double rate, double expectedError, List<Bin> bins) {
  /** The number of bins in the paper. */
  public static final int BINS = 15;

  /**
   * Predictions of similar probability.
   *
   * @param from smallest probability, exclusive except in the first bin
   * @param to largest probability, inclusive
   * @param rows number of predictions
   * @param meanProbability mean predicted probability; NaN if the bin is empty
   * @param rate share of predictions that came true; NaN if the bin is empty
   */
  public record Bin(double from, double to, int rows, double meanProbability, double rate) {}

  public Calibration {
    bins = List.copyOf(bins);
  }

  /**
   * Compares predictions with what came true.
   *
   * @param probabilities for each prediction, its probability, 0..1
   * @param cameTrue for each prediction, whether it came true
   * @param binCount number of bins
   * @throws IllegalArgumentException if the lengths differ or a probability is not within 0..1
   */
  public static Calibration of(double[] probabilities, boolean[] cameTrue, int binCount) {
    if (probabilities.length != cameTrue.length) {
      throw new IllegalArgumentException(
          format("lengths differ: %d and %d", probabilities.length, cameTrue.length));
    }
    int[] rows = new int[binCount];
    int[] hits = new int[binCount];
    double[] sums = new double[binCount];
    for (int i = 0; i < cameTrue.length; i++) {
      int bin = bin(probabilities[i], binCount);
      rows[bin]++;
      hits[bin] += cameTrue[i] ? 1 : 0;
      sums[bin] += probabilities[i];
    }
    List<Bin> bins = new ArrayList<>();
    int allHits = 0;
    double allSums = 0;
    double differences = 0;
    for (int bin = 0; bin < binCount; bin++) {
      double n = rows[bin];
      double from = (double) bin / binCount;
      double to = (bin + 1.0) / binCount;
      bins.add(new Bin(from, to, rows[bin], sums[bin] / n, hits[bin] / n));
      allHits += hits[bin];
      allSums += sums[bin];
      differences += Math.abs(hits[bin] - sums[bin]);
    }
    double n = probabilities.length;
    return new Calibration(probabilities.length, allSums / n, allHits / n, differences / n, bins);
  }

  private static int bin(double probability, int binCount) {
    if (!(probability >= 0 && probability <= 1)) {
      throw new IllegalArgumentException(format("%s is not a probability", probability));
    }
    return Math.max(0, (int) Math.ceil(probability * binCount) - 1);
  }
}

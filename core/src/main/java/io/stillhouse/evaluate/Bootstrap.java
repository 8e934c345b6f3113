package io.stillhouse.evaluate;

import java.util.SplittableRandom;

/**
 * Bootstrap standard errors (Efron 1979): the standard deviation of a statistic over samples of the
 * same number of rows, drawn with replacement. Every call draws the same samples.
 */
public final class Bootstrap {
  private static final int RESAMPLES = 1_000;

  /** Fewer resamples are drawn for many rows, to bound the time per metric. */
  private static final int MIN_RESAMPLES = 100;

  private static final int MAX_DRAWS = 10_000_000;

  private Bootstrap() {}

  /** A statistic of rows, given their indices. */
  public interface Statistic {
    double of(int[] rows);
  }

  /** Returns the standard error of a statistic, or 0 if there are fewer than two rows. */
  public static double standardError(int rows, Statistic statistic) {
    if (rows < 2) {
      return 0;
    }
    int resamples = Math.max(MIN_RESAMPLES, Math.min(RESAMPLES, MAX_DRAWS / rows));
    SplittableRandom random = new SplittableRandom(rows);
    int[] drawn = new int[rows];
    double sum = 0;
    double squares = 0;
    double first = 0;
    for (int r = 0; r < resamples; r++) {
      for (int i = 0; i < rows; i++) {
        drawn[i] = random.nextInt(rows);
      }
      double value = statistic.of(drawn);
      first = r == 0 ? value : first; // summing differences from it avoids cancellation
      sum += value - first;
      squares += (value - first) * (value - first);
    }
    double variance = (squares - sum * sum / resamples) / (resamples - 1);
    return Math.sqrt(Math.max(0, variance));
  }
}

package io.stillhouse.evaluate;

import java.util.SplittableRandom;

/**
 * Standard errors of any number that is computed from rows: its deviation over resamples of as many
 * rows, drawn with replacement (Efron 1979). The draws are the same on every call.
 */
public final class Bootstrap {
  private static final int RESAMPLES = 1_000;

  /** Of many rows fewer resamples are taken, so that no metric takes minutes. */
  private static final int FEWEST = 100;

  private static final int ROWS_IN_ALL = 10_000_000;

  private Bootstrap() {}

  /** A number computed from rows, by their indices. */
  public interface Statistic {
    double of(int[] rows);
  }

  /** Returns the standard error of a statistic over so many rows; 0 of none or one. */
  public static double standardError(int rows, Statistic statistic) {
    if (rows < 2) {
      return 0;
    }
    int resamples = Math.max(FEWEST, Math.min(RESAMPLES, ROWS_IN_ALL / rows));
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
      first = r == 0 ? value : first; // differences from it: no digits are lost to a large mean
      sum += value - first;
      squares += (value - first) * (value - first);
    }
    double variance = (squares - sum * sum / resamples) / (resamples - 1);
    return Math.sqrt(Math.max(0, variance));
  }
}

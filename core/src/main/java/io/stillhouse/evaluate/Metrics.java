package io.stillhouse.evaluate;

import static io.stillhouse.error.Text.format;

import io.stillhouse.spec.Metric;
import java.util.Arrays;
import org.apache.commons.math3.stat.correlation.PearsonsCorrelation;
import org.apache.commons.math3.stat.correlation.SpearmansCorrelation;

/** Computes task metrics and compares the rates of two models. */
public final class Metrics {
  private Metrics() {}

  /**
   * Returns the value of a metric.
   *
   * @param predicted one array for each row, as in {@link Predictions}: a class id, a score, or 0
   *     or 1 for each label
   * @param actual the true values, in the same form
   * @param outputs number of classes or labels; 1 for scores
   * @throws IllegalArgumentException if the numbers of rows differ
   */
  static double of(Metric metric, double[][] predicted, double[][] actual, int outputs) {
    if (predicted.length != actual.length) {
      throw new IllegalArgumentException(
          format("lengths differ: %d and %d", predicted.length, actual.length));
    }
    return switch (metric) {
      case ACCURACY, EXACT_MATCH -> equal(predicted, actual);
      case F1 -> f1(confusion(predicted, actual, outputs));
      case MATTHEWS -> matthews(confusion(predicted, actual, outputs));
      case PEARSON -> pearson(column(predicted), column(actual));
      case SPEARMAN -> spearman(column(predicted), column(actual));
      case MICRO_F1 -> microF1(predicted, actual);
      case MACRO_F1 -> macroF1(predicted, actual, outputs);
    };
  }

  /** Returns the share of rows that are equal, or 0 if there are no rows. */
  private static double equal(double[][] predicted, double[][] actual) {
    long equal = 0;
    for (int i = 0; i < actual.length; i++) {
      equal += Arrays.equals(predicted[i], actual[i]) ? 1 : 0;
    }
    return actual.length == 0 ? 0 : (double) equal / actual.length;
  }

  /** Counts rows by actual and predicted class. */
  private static long[][] confusion(double[][] predicted, double[][] actual, int classes) {
    long[][] confusion = new long[classes][classes];
    for (int i = 0; i < actual.length; i++) {
      confusion[(int) actual[i][0]][(int) predicted[i][0]]++;
    }
    return confusion;
  }

  /** Returns the first numbers of all rows. */
  private static double[] column(double[][] rows) {
    return Arrays.stream(rows).mapToDouble(row -> row[0]).toArray();
  }

  private static double pearson(double[] predicted, double[] actual) {
    return varies(predicted) && varies(actual)
        ? orZero(new PearsonsCorrelation().correlation(predicted, actual))
        : 0;
  }

  private static double spearman(double[] predicted, double[] actual) {
    return varies(predicted) && varies(actual)
        ? orZero(new SpearmansCorrelation().correlation(predicted, actual))
        : 0;
  }

  /** Replaces NaN, the correlation of numbers whose squares overflow or underflow. */
  private static double orZero(double correlation) {
    return Double.isNaN(correlation) ? 0 : correlation;
  }

  private static double microF1(double[][] predicted, double[][] actual) {
    long[] counts = new long[3];
    for (int label = 0; actual.length > 0 && label < actual[0].length; label++) {
      long[] labelHits = hits(predicted, actual, label);
      for (int i = 0; i < counts.length; i++) {
        counts[i] += labelHits[i];
      }
    }
    return f1(counts[0], counts[1], counts[2]);
  }

  private static double macroF1(double[][] predicted, double[][] actual, int labels) {
    double sum = 0;
    for (int label = 0; label < labels; label++) {
      long[] labelHits = hits(predicted, actual, label);
      sum += f1(labelHits[0], labelHits[1], labelHits[2]);
    }
    return sum / labels;
  }

  /** Returns the number of rows with a label in both, in the prediction, and in the true labels. */
  private static long[] hits(double[][] predicted, double[][] actual, int label) {
    long[] counts = new long[3];
    for (int i = 0; i < actual.length; i++) {
      counts[0] += predicted[i][label] == 1 && actual[i][label] == 1 ? 1 : 0;
      counts[1] += predicted[i][label] == 1 ? 1 : 0;
      counts[2] += actual[i][label] == 1 ? 1 : 0;
    }
    return counts;
  }

  private static double f1(long both, long predicted, long actual) {
    return predicted + actual == 0 ? 0 : 2.0 * both / (predicted + actual);
  }

  /**
   * The difference between the rates of two models on the same rows, and its standard error over
   * rows.
   *
   * @param difference difference of the rates over all rows
   * @param standardError standard error of the difference; rows are independent, trials within a
   *     row are not
   * @param rows number of rows
   */
  public record Paired(double difference, double standardError, int rows) {}

  /**
   * Compares the success rates of two models, paired by row. The standard error is that of the
   * linearized ratio of sums.
   *
   * @param a successes of the first model in each row
   * @param b successes of the second model in each row
   * @param trials trials in each row, the same for both models
   */
  public static Paired paired(long[] a, long[] b, long[] trials) {
    requireEqual(a.length, b.length);
    requireEqual(a.length, trials.length);
    long differences = 0;
    long all = 0;
    for (int i = 0; i < a.length; i++) {
      differences += a[i] - b[i];
      all += trials[i];
    }
    if (all == 0) {
      return new Paired(0, 0, a.length);
    }
    double rate = (double) differences / all;
    double squares = 0;
    for (int i = 0; i < a.length; i++) {
      double residual = a[i] - b[i] - rate * trials[i];
      squares += residual * residual;
    }
    double correction = a.length > 1 ? (double) a.length / (a.length - 1) : 1;
    return new Paired(rate, Math.sqrt(correction * squares) / all, a.length);
  }

  /** Returns the mean, or NaN if there are no values. */
  public static double mean(double[] values) {
    return Arrays.stream(values).average().orElse(Double.NaN);
  }

  /**
   * Returns the standard error of the mean of independent values, or 0 if there are fewer than two.
   */
  public static double standardError(double[] values) {
    double mean = mean(values);
    double squares = Arrays.stream(values).map(value -> (value - mean) * (value - mean)).sum();
    return values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1) / values.length);
  }

  private static boolean varies(double[] values) {
    for (double value : values) {
      if (value != values[0]) {
        return true;
      }
    }
    return false;
  }

  private static double f1(long[][] confusion) {
    if (confusion.length == 2) {
      return f1(confusion, 1);
    }
    double sum = 0;
    for (int c = 0; c < confusion.length; c++) {
      sum += f1(confusion, c);
    }
    return sum / confusion.length;
  }

  private static double f1(long[][] confusion, int c) {
    long actual = 0;
    long predicted = 0;
    for (int other = 0; other < confusion.length; other++) {
      actual += confusion[c][other];
      predicted += confusion[other][c];
    }
    return f1(confusion[c][c], predicted, actual);
  }

  /** Returns Gorodkin's R_K, which is the Matthews correlation for two classes. */
  private static double matthews(long[][] confusion) {
    double total = 0;
    double correct = 0;
    double products = 0;
    double actualSquares = 0;
    double predictedSquares = 0;
    for (int c = 0; c < confusion.length; c++) {
      double actual = 0;
      double predicted = 0;
      for (int other = 0; other < confusion.length; other++) {
        actual += confusion[c][other];
        predicted += confusion[other][c];
      }
      total += actual;
      correct += confusion[c][c];
      products += actual * predicted;
      actualSquares += actual * actual;
      predictedSquares += predicted * predicted;
    }
    double spread =
        Math.sqrt(total * total - predictedSquares) * Math.sqrt(total * total - actualSquares);
    return spread == 0 ? 0 : (total * correct - products) / spread;
  }

  private static void requireEqual(int a, int b) {
    if (a != b) {
      throw new IllegalArgumentException(format("lengths differ: %d and %d", a, b));
    }
  }
}

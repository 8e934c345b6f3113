package io.stillhouse.evaluate;

import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.commons.math3.stat.correlation.PearsonsCorrelation;
import org.apache.commons.math3.stat.correlation.SpearmansCorrelation;

/** GLUE's metrics. */
public final class Metrics {
  private Metrics() {}

  /**
   * Returns accuracy, F1 and Matthews correlation.
   *
   * <p>F1 is that of class 1 where there are two classes, as GLUE has it, else the unweighted mean
   * over the classes; a class that is neither there nor predicted counts 0. Matthews correlation is
   * 0 where it is undefined, as in scikit-learn.
   *
   * @param predicted class ids, below {@code classes}
   * @param actual class ids, as many
   */
  public static Map<String, Double> classification(int[] predicted, int[] actual, int classes) {
    requireEqual(predicted.length, actual.length);
    long[][] confusion = new long[classes][classes];
    for (int i = 0; i < actual.length; i++) {
      confusion[actual[i]][predicted[i]]++;
    }
    long correct = 0;
    for (int c = 0; c < classes; c++) {
      correct += confusion[c][c];
    }
    Map<String, Double> metrics = new LinkedHashMap<>();
    metrics.put("accuracy", (double) correct / actual.length);
    metrics.put("f1", f1(confusion));
    metrics.put("matthews", matthews(confusion, actual.length, correct));
    return metrics;
  }

  /**
   * Returns Pearson's and Spearman's correlation; ties share their mean rank. Both are 0 where they
   * are undefined: under two values, or one side the same throughout.
   */
  public static Map<String, Double> regression(double[] predicted, double[] actual) {
    requireEqual(predicted.length, actual.length);
    Map<String, Double> metrics = new LinkedHashMap<>();
    boolean defined = varies(predicted) && varies(actual);
    metrics.put("pearson", defined ? new PearsonsCorrelation().correlation(predicted, actual) : 0);
    metrics.put(
        "spearman", defined ? new SpearmansCorrelation().correlation(predicted, actual) : 0);
    return metrics;
  }

  /**
   * A difference of two models' rates on the same units, and its standard error by unit.
   *
   * @param difference of the rates, all units pooled
   * @param standardError of it, units being independent and the counts within one not
   * @param units how many
   */
  public record Paired(double difference, double standardError, int units) {}

  /**
   * Compares two models' success rates, paired by unit (a sentence): the linearised standard error
   * of a ratio of sums.
   *
   * @param a successes of the first model in each unit
   * @param b successes of the second
   * @param trials of each unit, the same for both
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
    return actual + predicted == 0 ? 0 : 2.0 * confusion[c][c] / (actual + predicted);
  }

  /** Gorodkin's R_K, which is Matthews correlation for two classes. */
  private static double matthews(long[][] confusion, long rows, long correct) {
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
      products += actual * predicted;
      actualSquares += actual * actual;
      predictedSquares += predicted * predicted;
    }
    double total = rows;
    double spread =
        Math.sqrt(total * total - predictedSquares) * Math.sqrt(total * total - actualSquares);
    return spread == 0 ? 0 : (total * correct - products) / spread;
  }

  private static void requireEqual(int a, int b) {
    if (a != b) {
      throw new IllegalArgumentException("%d values against %d".formatted(a, b));
    }
  }
}

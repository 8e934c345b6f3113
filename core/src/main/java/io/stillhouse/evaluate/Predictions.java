package io.stillhouse.evaluate;

import io.stillhouse.spec.Head;
import io.stillhouse.spec.LabelSet;
import io.stillhouse.spec.Metric;
import io.stillhouse.spec.Task;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The predictions of a model, or the true labels, for rows: a class id, a score, or 0 or 1 for each
 * of several labels. A row with a logit that is not finite has no prediction, and metrics over such
 * rows are NaN.
 */
public final class Predictions {
  private static final double[] NO_PREDICTION = {};

  private final Head head;
  private final double[][] rows;

  private Predictions(Head head, double[][] rows) {
    this.head = head;
    this.rows = rows;
  }

  /**
   * Returns the predictions of a model.
   *
   * @param logits the model's logits, shape (rows, C)
   */
  public static Predictions of(Head head, float[][] logits) {
    return new Predictions(
        head,
        Arrays.stream(logits).map(row -> predictions(head.task(), row)).toArray(double[][]::new));
  }

  /**
   * Returns the true values.
   *
   * @param labels a class id, a score or a {@link LabelSet} for each row
   */
  public static Predictions of(Head head, double[] labels) {
    return new Predictions(
        head,
        Arrays.stream(labels)
            .mapToObj(
                label ->
                    head.task() == Task.MULTI_LABEL
                        ? LabelSet.numbers(label, head.outputs())
                        : new double[] {label})
            .toArray(double[][]::new));
  }

  private static double[] predictions(Task task, float[] logits) {
    if (!isFinite(logits)) {
      return NO_PREDICTION;
    }
    return switch (task) {
      case CLASSIFICATION -> new double[] {best(logits)};
      case REGRESSION -> new double[] {logits[0]};
      case MULTI_LABEL -> {
        double[] labels = new double[logits.length];
        for (int label = 0; label < labels.length; label++) {
          labels[label] = logits[label] > 0 ? 1 : 0; // a probability over 0.5
        }
        yield labels;
      }
      case NONE, MASKED_LM -> throw new IllegalArgumentException(task + " has no predictions");
    };
  }

  private static boolean isFinite(float[] logits) {
    for (float logit : logits) {
      if (!Float.isFinite(logit)) {
        return false;
      }
    }
    return true;
  }

  /** Returns the class with the largest logit; the first one if several are equal. */
  private static int best(float[] logits) {
    int best = 0;
    for (int c = 1; c < logits.length; c++) {
      best = logits[c] > logits[best] ? c : best;
    }
    return best;
  }

  /** Returns the number of rows. */
  public int rows() {
    return rows.length;
  }

  /** Returns the number of rows without a prediction, because their logits are not finite. */
  public int notFinite() {
    return (int) Arrays.stream(rows).filter(row -> row.length == 0).count();
  }

  /** Returns a metric over all rows. */
  public double metric(Metric metric, Predictions truth) {
    return metric(metric, truth, IntStream.range(0, rows.length).toArray());
  }

  /**
   * Returns a metric over the chosen rows, which may be repeated; NaN if one of them has no
   * prediction.
   */
  public double metric(Metric metric, Predictions truth, int[] chosen) {
    double[][] predicted = new double[chosen.length][];
    double[][] actual = new double[chosen.length][];
    for (int i = 0; i < chosen.length; i++) {
      predicted[i] = rows[chosen[i]];
      actual[i] = truth.rows[chosen[i]];
      if (predicted[i].length == 0 || actual[i].length == 0) {
        return Double.NaN;
      }
    }
    return Metrics.of(metric, predicted, actual, head.outputs());
  }

  /**
   * Returns the agreement with other predictions: the share of rows with equal classes or label
   * sets, or Pearson's correlation of scores.
   */
  public double agreement(Predictions other) {
    return metric(agreement(head.task()), other);
  }

  /** Returns the metric that measures the agreement of two models. */
  public static Metric agreement(Task task) {
    return task == Task.REGRESSION ? Metric.PEARSON : Metric.ACCURACY;
  }
}

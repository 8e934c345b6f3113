package io.stillhouse.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.spec.Head;
import io.stillhouse.spec.Metric;
import io.stillhouse.spec.Task;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class MetricsTest {
  private static final Offset<Double> ROUNDING = within(1e-12);

  @Test
  void metricsOfTwoClassesMatchValuesWorkedByHand() {
    // 3 true and 1 false positives, 2 true and 2 false negatives.
    Map<String, Double> metrics =
        classification(new int[] {1, 1, 1, 0, 0, 1, 0, 0}, new int[] {1, 1, 1, 1, 1, 0, 0, 0}, 2);

    assertThat(metrics.get("accuracy")).isCloseTo(5.0 / 8, ROUNDING);
    assertThat(metrics.get("f1")).isCloseTo(6.0 / 9, ROUNDING);
    assertThat(metrics.get("matthews"))
        .isCloseTo((3 * 2 - 1 * 2) / Math.sqrt(4 * 5 * 3 * 4), ROUNDING);
  }

  @Test
  void metricsOfThreeClassesMatchValuesWorkedByHand() {
    Map<String, Double> metrics =
        classification(new int[] {0, 1, 1, 1, 2, 0}, new int[] {0, 0, 1, 1, 2, 2}, 3);

    assertThat(metrics.get("accuracy")).isCloseTo(4.0 / 6, ROUNDING);
    assertThat(metrics.get("f1")).isCloseTo((1.0 / 2 + 4.0 / 5 + 2.0 / 3) / 3, ROUNDING);
    // (rows * correct - sum of actual * predicted) / the square root of both spreads
    assertThat(metrics.get("matthews"))
        .isCloseTo((6 * 4 - (2 * 2 + 2 * 3 + 2 * 1)) / Math.sqrt(22.0 * 24.0), ROUNDING);
  }

  @Test
  void countsAbsentClassAsZeroInF1() {
    Map<String, Double> metrics = classification(new int[] {0, 1}, new int[] {0, 1}, 3);

    assertThat(metrics.get("f1")).isCloseTo(2.0 / 3, ROUNDING);
    assertThat(metrics.get("matthews")).isCloseTo(1, ROUNDING);
  }

  @Test
  void undefinedMatthewsCorrelationIsZero() {
    Map<String, Double> metrics = classification(new int[] {1, 1, 1}, new int[] {1, 0, 1}, 2);

    assertThat(metrics.get("matthews")).isZero();
    assertThat(metrics.get("f1")).isCloseTo(0.8, ROUNDING);
  }

  @Test
  void metricOverRowsThatAreNotFiniteIsNaN() {
    Predictions truth = Predictions.of(Head.REGRESSION, new double[] {1, 2, 3});
    Predictions broken =
        Predictions.of(Head.REGRESSION, new float[][] {{1}, {Float.POSITIVE_INFINITY}, {3}});

    assertThat(broken.notFinite()).isEqualTo(1);
    assertThat(broken.metric(Metric.SPEARMAN, truth)).isNaN();
    assertThat(broken.metric(Metric.PEARSON, truth, new int[] {0, 2, 2})).isCloseTo(1, ROUNDING);
    Head classes = new Head(Task.CLASSIFICATION, List.of("no", "yes"));
    Predictions dead = Predictions.of(classes, new float[][] {{Float.NaN, Float.NaN}});
    assertThat(dead.metric(Metric.ACCURACY, Predictions.of(classes, new double[] {0}))).isNaN();
  }

  @Test
  void overflowingCorrelationIsUndefined() {
    Predictions truth = Predictions.of(Head.REGRESSION, new double[] {1e300, -1e300, 1e308});
    Predictions scores = Predictions.of(Head.REGRESSION, new float[][] {{1}, {2}, {3}});
    assertThat(scores.metric(Metric.PEARSON, truth)).isZero();
  }

  @Test
  void correlationOfWrongPredictionsIsMinusOne() {
    Map<String, Double> metrics = classification(new int[] {1, 0, 1}, new int[] {0, 1, 0}, 2);

    assertThat(metrics)
        .containsEntry("accuracy", 0.0)
        .containsEntry("f1", 0.0)
        .containsEntry("matthews", -1.0);
  }

  @Test
  void correlationsMatchValuesWorkedByHand() {
    Map<String, Double> metrics = regression(new double[] {1, 2, 3}, new double[] {1, 2, 6});

    assertThat(metrics.get("pearson")).isCloseTo(5 / Math.sqrt(2.0 * 14), ROUNDING);
    assertThat(metrics.get("spearman")).isCloseTo(1, ROUNDING);
  }

  @Test
  void tiesShareTheirMeanRank() {
    // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4.
    Map<String, Double> metrics = regression(new double[] {1, 7, 7, 90}, new double[] {1, 2, 3, 4});

    assertThat(metrics.get("spearman")).isCloseTo(4.5 / Math.sqrt(4.5 * 5), ROUNDING);
  }

  @Test
  void undefinedCorrelationsAreZero() {
    assertThat(regression(new double[] {1}, new double[] {2}))
        .containsEntry("pearson", 0.0)
        .containsEntry("spearman", 0.0);
    assertThat(regression(new double[] {3, 3, 3}, new double[] {1, 2, 3}))
        .containsEntry("pearson", 0.0)
        .containsEntry("spearman", 0.0);
  }

  @Test
  void pairedErrorMatchesValueWorkedByHand() {
    Metrics.Paired paired = Metrics.paired(new long[] {3, 1}, new long[] {1, 1}, new long[] {4, 2});

    // Residuals 2 - 4/3 and 0 - 2/3; n / (n - 1) = 2; over 6 trials.
    assertThat(paired.difference()).isCloseTo(1.0 / 3, ROUNDING);
    assertThat(paired.standardError()).isCloseTo(Math.sqrt(2 * 8.0 / 9) / 6, ROUNDING);
    assertThat(paired.rows()).isEqualTo(2);
  }

  @Test
  void pairedErrorOfSingleTrialsEqualsErrorOfMean() {
    // Differences 1, 0, 0, -1, 1: mean 0.2, sample variance 0.7.
    Metrics.Paired paired =
        Metrics.paired(
            new long[] {1, 1, 0, 0, 1}, new long[] {0, 1, 0, 1, 0}, new long[] {1, 1, 1, 1, 1});

    assertThat(paired.difference()).isCloseTo(0.2, ROUNDING);
    assertThat(paired.standardError()).isCloseTo(Math.sqrt(0.7 / 5), ROUNDING);
  }

  @Test
  void modelEqualsItself() {
    assertThat(Metrics.paired(new long[] {3, 1}, new long[] {3, 1}, new long[] {4, 2}))
        .isEqualTo(new Metrics.Paired(0, 0, 2));
  }

  @Test
  void differenceIsZeroWithoutTrials() {
    assertThat(Metrics.paired(new long[] {0}, new long[] {0}, new long[] {0}))
        .isEqualTo(new Metrics.Paired(0, 0, 1));
  }

  @Test
  void multiLabelMetricsMatchValuesWorkedByHand() {
    // Label 0: 1 correct, 2 predicted, 1 actual; label 1: 1 correct, 1 predicted, 2 actual; label
    // 2: none.
    double[][] predicted = {{1, 0, 0}, {1, 1, 0}, {0, 0, 0}};
    double[][] actual = {{1, 0, 0}, {0, 1, 0}, {0, 1, 0}};

    assertThat(Metrics.of(Metric.MICRO_F1, predicted, actual, 3)).isCloseTo(4.0 / 6, ROUNDING);
    assertThat(Metrics.of(Metric.MACRO_F1, predicted, actual, 3))
        .isCloseTo((2.0 / 3 + 2.0 / 3 + 0) / 3, ROUNDING);
    assertThat(Metrics.of(Metric.EXACT_MATCH, predicted, actual, 3)).isCloseTo(1.0 / 3, ROUNDING);
  }

  @Test
  void standardErrorOfMeanMatchesValueWorkedByHand() {
    assertThat(Metrics.standardError(new double[] {1, 2, 6}))
        .isCloseTo(Math.sqrt(14.0 / 2 / 3), ROUNDING);
    assertThat(Metrics.standardError(new double[] {1})).isZero();
  }

  @Test
  void rejectsUnequalNumbersOfValues() {
    assertThatThrownBy(() -> classification(new int[2], new int[3], 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("lengths differ: 2 and 3");
    assertThatThrownBy(() -> regression(new double[2], new double[3]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("lengths differ: 2 and 3");
    assertThatThrownBy(() -> Metrics.paired(new long[2], new long[2], new long[1]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("lengths differ: 2 and 1");
  }

  private static Map<String, Double> classification(int[] predicted, int[] actual, int classes) {
    return metrics(
        Task.CLASSIFICATION,
        Arrays.stream(predicted).asDoubleStream().toArray(),
        Arrays.stream(actual).asDoubleStream().toArray(),
        classes);
  }

  private static Map<String, Double> regression(double[] predicted, double[] actual) {
    return metrics(Task.REGRESSION, predicted, actual, 1);
  }

  private static Map<String, Double> metrics(
      Task task, double[] predicted, double[] actual, int outputs) {
    Map<String, Double> metrics = new HashMap<>();
    for (Metric metric : Metric.of(task)) {
      metrics.put(metric.id(), Metrics.of(metric, rows(predicted), rows(actual), outputs));
    }
    return metrics;
  }

  private static double[][] rows(double[] values) {
    return Arrays.stream(values).mapToObj(value -> new double[] {value}).toArray(double[][]::new);
  }
}

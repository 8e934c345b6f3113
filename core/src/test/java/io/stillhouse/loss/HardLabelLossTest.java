package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HardLabelLossTest {
  private static final int ROWS = 5;
  private static final int CLASSES = 4;
  private static final long[] LABELS = {3, 0, 1, 1, 2};
  private static final double[] SCORES = {0.5, 3.25, -1, 4, 0};

  private final NDManager manager = NDManager.newBaseManager();
  private final double[] logits = LossCheck.random(ROWS * CLASSES, 1);
  private final double[] predicted = LossCheck.random(ROWS, 2);

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void crossEntropyMatchesHandComputation() {
    // Odds of 3 to 1 in the first row and even odds in the second.
    NDArray logitsNC = manager.create(new float[] {(float) Math.log(3), 0, 0, 0}, new Shape(2, 2));

    NDArray actual = HardLabelLoss.crossEntropy(logitsNC, manager.create(new long[] {0, 1}));

    assertThat(LossCheck.value(actual))
        .isCloseTo((Math.log(4.0 / 3) + Math.log(2)) / 2, within(1e-6));
  }

  @Test
  void squaredErrorMatchesHandComputation() {
    NDArray predictedB1 = manager.create(new float[] {1, 5}, new Shape(2, 1));

    NDArray actual = HardLabelLoss.squaredError(predictedB1, manager.create(new float[] {3, 4}));

    assertThat(LossCheck.value(actual)).isEqualTo((4 + 1) / 2.0);
  }

  @Test
  void crossEntropyMatchesPlainLoops() {
    double expected = 0;
    for (int row = 0; row < ROWS; row++) {
      double sum = 0;
      for (int c = 0; c < CLASSES; c++) {
        sum += Math.exp(logits[row * CLASSES + c]);
      }
      expected += (Math.log(sum) - logits[row * CLASSES + (int) LABELS[row]]) / ROWS;
    }

    NDArray actual =
        HardLabelLoss.crossEntropy(
            LossCheck.floats(manager, logits, ROWS, CLASSES), manager.create(LABELS));

    assertThat(LossCheck.value(actual)).isCloseTo(expected, within(2e-6));
  }

  @Test
  void squaredErrorMatchesPlainLoops() {
    double expected = 0;
    for (int row = 0; row < ROWS; row++) {
      expected += Math.pow(predicted[row] - SCORES[row], 2) / ROWS;
    }

    NDArray actual =
        HardLabelLoss.squaredError(
            LossCheck.floats(manager, predicted, ROWS, 1), LossCheck.floats(manager, SCORES, ROWS));

    assertThat(LossCheck.value(actual)).isCloseTo(expected, within(5e-6));
  }

  @Test
  void gradientOfCrossEntropyMatchesFiniteDifferences() {
    NDArray labels = manager.create(LABELS);

    LossCheck.requireGradient(
        manager, logits, s -> HardLabelLoss.crossEntropy(s, labels), ROWS, CLASSES);
  }

  @Test
  void gradientOfSquaredErrorMatchesFiniteDifferences() {
    NDArray scores = LossCheck.array(manager, SCORES, ROWS);

    LossCheck.requireGradient(
        manager, predicted, s -> HardLabelLoss.squaredError(s, scores), ROWS, 1);
  }

  @Test
  void weightedCrossEntropyMatchesHandComputation() {
    // Even odds in both rows; the classes have weights 3 and 0.5.
    NDArray logitsNC = manager.zeros(new Shape(2, 2));

    NDArray actual =
        HardLabelLoss.crossEntropy(
            logitsNC, manager.create(new long[] {0, 1}), manager.create(new float[] {3, 0.5f}));

    assertThat(LossCheck.value(actual)).isCloseTo(Math.log(2) * 3.5 / 2, within(1e-6));
  }

  @Test
  void gradientOfWeightedCrossEntropyMatchesFiniteDifferences() {
    NDArray labels = manager.create(LABELS);
    NDArray weights = LossCheck.array(manager, new double[] {0.5, 2, 1, 0.25}, CLASSES);

    LossCheck.requireGradient(
        manager, logits, s -> HardLabelLoss.crossEntropy(s, labels, weights), ROWS, CLASSES);
  }

  @Test
  void binaryCrossEntropyMatchesPlainLoops() {
    long[] present = new long[ROWS * CLASSES];
    double expected = 0;
    for (int i = 0; i < present.length; i++) {
      present[i] = i % 3 == 0 ? 1 : 0;
      double truth = 1 / (1 + Math.exp(-logits[i]));
      expected -= Math.log(present[i] == 1 ? truth : 1 - truth) / present.length;
    }
    NDArray labels = manager.create(present, new Shape(ROWS, CLASSES));

    NDArray actual =
        HardLabelLoss.binaryCrossEntropy(LossCheck.floats(manager, logits, ROWS, CLASSES), labels);

    assertThat(LossCheck.value(actual)).isCloseTo(expected, within(2e-6));
    LossCheck.requireGradient(
        manager, logits, s -> HardLabelLoss.binaryCrossEntropy(s, labels), ROWS, CLASSES);
  }

  @Test
  void multiLabelSoftLabelsAreBinaryPerLabel() {
    double[] teacher = LossCheck.random(ROWS * CLASSES, 5);
    double expected = 0;
    for (int i = 0; i < teacher.length; i++) {
      double t = 1 / (1 + Math.exp(-teacher[i]));
      double s = 1 / (1 + Math.exp(-logits[i]));
      expected += (t * Math.log(t / s) + (1 - t) * Math.log((1 - t) / (1 - s))) / teacher.length;
    }

    NDArray actual =
        SoftLabelLoss.kl(
            HardLabelLoss.binaryLogits(LossCheck.floats(manager, logits, ROWS, CLASSES)),
            HardLabelLoss.binaryLogits(LossCheck.floats(manager, teacher, ROWS, CLASSES)),
            1);

    assertThat(LossCheck.value(actual)).isCloseTo(expected, within(2e-6));
  }

  @ParameterizedTest
  @ValueSource(doubles = {1, 2})
  void gradientOfMultiLabelSoftLabelsMatchesFiniteDifferences(double temperature) {
    NDArray teacher =
        HardLabelLoss.binaryLogits(
            LossCheck.array(manager, LossCheck.random(ROWS * CLASSES, 5), ROWS, CLASSES));

    LossCheck.requireGradient(
        manager,
        logits,
        s -> SoftLabelLoss.kl(HardLabelLoss.binaryLogits(s), teacher, temperature),
        ROWS,
        CLASSES);
  }

  @Test
  void rejectsLabelCountOtherThanRowCount() {
    NDArray threeRows = manager.zeros(new Shape(3, 2));

    assertThatThrownBy(
            () -> HardLabelLoss.crossEntropy(threeRows, manager.create(new long[] {0, 1})))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("3 rows of logits but 2 labels");
  }

  @Test
  void rejectsScoreCountOtherThanPredictionCount() {
    NDArray threeRows = manager.zeros(new Shape(3, 1));

    assertThatThrownBy(
            () -> HardLabelLoss.squaredError(threeRows, manager.create(new float[] {0, 1})))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("3 predictions but 2 scores");
  }
}

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

class SoftLabelLossTest {
  private static final int ROWS = 5;
  private static final int CLASSES = 7;

  private final NDManager manager = NDManager.newBaseManager();
  private final double[] student = LossCheck.random(ROWS * CLASSES, 1);
  private final double[] teacher = LossCheck.random(ROWS * CLASSES, 2);

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void divergenceMatchesHandComputation() {
    // The teacher says 3/4 and 1/4, the student 1/2 and 1/2.
    double divergence = 0.75 * Math.log(1.5) + 0.25 * Math.log(0.5);
    NDArray even = manager.zeros(new Shape(1, 2));

    NDArray cold = manager.create(new float[] {(float) Math.log(3), 0}, new Shape(1, 2));
    assertThat(LossCheck.value(SoftLabelLoss.kl(even, cold, 1)))
        .isCloseTo(divergence, within(1e-6));

    NDArray warm = manager.create(new float[] {(float) (2 * Math.log(3)), 0}, new Shape(1, 2));
    assertThat(LossCheck.value(SoftLabelLoss.kl(even, warm, 2)))
        .isCloseTo(4 * divergence, within(1e-6));
  }

  @Test
  void squaredErrorMatchesHandComputation() {
    NDArray logits = manager.create(new float[] {1, 2, 3, 0}, new Shape(2, 2));

    assertThat(LossCheck.value(SoftLabelLoss.mse(logits, manager.zeros(new Shape(2, 2)))))
        .isEqualTo((1 + 4 + 9) / 4.0);
  }

  @ParameterizedTest
  @ValueSource(doubles = {1, 2, 0.5})
  void divergenceMatchesPlainLoops(double temperature) {
    double expected = 0;
    for (int row = 0; row < ROWS; row++) {
      double[] q = softmax(student, row, temperature);
      double[] p = softmax(teacher, row, temperature);
      for (int c = 0; c < CLASSES; c++) {
        expected += p[c] * Math.log(p[c] / q[c]) * temperature * temperature / ROWS;
      }
    }

    NDArray actual =
        SoftLabelLoss.kl(
            LossCheck.floats(manager, student, ROWS, CLASSES),
            LossCheck.floats(manager, teacher, ROWS, CLASSES),
            temperature);

    assertThat(LossCheck.value(actual)).isCloseTo(expected, within(2e-6));
  }

  @Test
  void squaredErrorMatchesPlainLoops() {
    double expected = 0;
    for (int i = 0; i < student.length; i++) {
      expected += Math.pow(student[i] - teacher[i], 2) / student.length;
    }

    NDArray actual =
        SoftLabelLoss.mse(
            LossCheck.floats(manager, student, ROWS, CLASSES),
            LossCheck.floats(manager, teacher, ROWS, CLASSES));

    assertThat(LossCheck.value(actual)).isCloseTo(expected, within(2e-6));
  }

  @Test
  void divergenceIsFiniteForLogitsOfAnySize() {
    NDArray student = manager.create(new float[] {-1e4f, 1e4f}, new Shape(1, 2));
    NDArray teacher = manager.create(new float[] {1e4f, -1e4f}, new Shape(1, 2));

    assertThat(LossCheck.value(SoftLabelLoss.kl(student, teacher, 1))).isEqualTo(2e4);
  }

  @Test
  void divergenceIgnoresConstantOffsetOfLogits() {
    NDArray logits = LossCheck.floats(manager, student, ROWS, CLASSES);

    assertThat(LossCheck.value(SoftLabelLoss.kl(logits, logits.add(3), 2)))
        .isCloseTo(0, within(1e-6));
  }

  @Test
  void gradientOfDivergenceMatchesFiniteDifferences() {
    NDArray target = LossCheck.array(manager, teacher, ROWS, CLASSES);

    LossCheck.requireGradient(manager, student, s -> SoftLabelLoss.kl(s, target, 2), ROWS, CLASSES);
  }

  @Test
  void gradientOfSquaredErrorMatchesFiniteDifferences() {
    NDArray target = LossCheck.array(manager, teacher, ROWS, CLASSES);

    LossCheck.requireGradient(manager, student, s -> SoftLabelLoss.mse(s, target), ROWS, CLASSES);
  }

  @Test
  void rejectsLogitsOfDifferentShape() {
    NDArray two = manager.zeros(new Shape(1, 2));
    NDArray three = manager.zeros(new Shape(1, 3));
    String message = "student (1, 2) and teacher (1, 3) differ in shape";

    assertThatThrownBy(() -> SoftLabelLoss.kl(two, three, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
    assertThatThrownBy(() -> SoftLabelLoss.mse(two, three))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN})
  void rejectsNonPositiveTemperature(double temperature) {
    NDArray logits = manager.zeros(new Shape(1, 2));

    assertThatThrownBy(() -> SoftLabelLoss.kl(logits, logits, temperature))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("temperature must be > 0, but is " + temperature);
  }

  private static double[] softmax(double[] logits, int row, double temperature) {
    double[] result = new double[CLASSES];
    double sum = 0;
    for (int c = 0; c < CLASSES; c++) {
      result[c] = Math.exp(logits[row * CLASSES + c] / temperature);
      sum += result[c];
    }
    for (int c = 0; c < CLASSES; c++) {
      result[c] /= sum;
    }
    return result;
  }
}

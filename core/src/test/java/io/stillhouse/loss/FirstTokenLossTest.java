package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FirstTokenLossTest {
  private static final int ROWS = 3;
  private static final int WIDTH = 5;

  private final NDManager manager = NDManager.newBaseManager();
  private final double[] student = LossCheck.random(ROWS * WIDTH, 1);
  private final double[] teacher = LossCheck.random(ROWS * WIDTH, 2);

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void distanceMatchesHandComputation() {
    // (0.6, 0.8) and (0.8, 0.6) after normalization; and two states of the same direction.
    NDArray studentBD = manager.create(new float[] {3, 4, 1, 1}, new Shape(2, 2));
    NDArray teacherBD = manager.create(new float[] {40, 30, 7, 7}, new Shape(2, 2));

    assertThat(LossCheck.value(HiddenLoss.firstTokenMse(studentBD, teacherBD)))
        .isCloseTo(0.08 / 2, within(1e-7));
  }

  @Test
  void distanceMatchesPlainLoops() {
    double expected = 0;
    for (int row = 0; row < ROWS; row++) {
      double ours = 0;
      double theirs = 0;
      for (int i = row * WIDTH; i < (row + 1) * WIDTH; i++) {
        ours += student[i] * student[i];
        theirs += teacher[i] * teacher[i];
      }
      for (int i = row * WIDTH; i < (row + 1) * WIDTH; i++) {
        double difference = student[i] / Math.sqrt(ours) - teacher[i] / Math.sqrt(theirs);
        expected += difference * difference / ROWS;
      }
    }

    NDArray actual =
        HiddenLoss.firstTokenMse(
            LossCheck.floats(manager, student, ROWS, WIDTH),
            LossCheck.floats(manager, teacher, ROWS, WIDTH));

    assertThat(LossCheck.value(actual)).isCloseTo(expected, within(1e-6));
  }

  @Test
  void gradientMatchesFiniteDifferences() {
    LossCheck.requireGradient(manager, student, against(teacher), ROWS, WIDTH);
  }

  @Test
  void zeroStateHasFiniteGradient() {
    double[] zeros = new double[student.length];

    assertThat(LossCheck.value(against(teacher).apply(LossCheck.array(manager, zeros, 3, 5))))
        .isCloseTo(1, within(1e-6));
    for (double slope : LossCheck.gradient(manager, zeros, against(teacher), ROWS, WIDTH)) {
      assertThat(slope).isFinite();
    }
  }

  @Test
  void rejectsStatesOfDifferentWidth() {
    NDArray narrow = manager.zeros(new Shape(2, 3));
    NDArray wide = manager.zeros(new Shape(2, 4));

    assertThatThrownBy(() -> HiddenLoss.firstTokenMse(narrow, wide))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("student (2, 3) and teacher (2, 4) differ in shape");
  }

  private Function<NDArray, NDArray> against(double[] theirs) {
    NDArray teacherBD = LossCheck.array(manager, theirs, ROWS, WIDTH);
    return studentBD -> HiddenLoss.firstTokenMse(studentBD, teacherBD);
  }
}

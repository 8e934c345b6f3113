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

class AttentionLossTest {
  private static final int ROWS = 3;
  private static final int HEADS = 2;
  private static final int LONGEST = 3;
  private static final int[] LENGTHS = {3, 1, 2};
  private static final int PAIRS = 9 + 1 + 4;

  private final NDManager manager = NDManager.newBaseManager();
  private final double[] student = LossCheck.random(ROWS * HEADS * LONGEST * LONGEST, 1);
  private final double[] teacher = LossCheck.random(ROWS * HEADS * LONGEST * LONGEST, 2);

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void squaredErrorMatchesHandComputation() {
    // One real token, one of padding and two heads: only one score of each head counts.
    NDArray studentBHLL =
        manager.create(new float[] {1, 9, 9, 9, 5, 9, 9, 9}, new Shape(1, 2, 2, 2));
    NDArray teacherBHLL = manager.zeros(new Shape(1, 2, 2, 2));
    NDArray firstOnly = manager.create(new float[] {1, 0}, new Shape(1, 2, 1));

    assertThat(LossCheck.value(AttentionLoss.mse(studentBHLL, teacherBHLL, firstOnly, 1)))
        .isEqualTo((1 + 25) / 2.0);
  }

  @Test
  void squaredErrorMatchesPlainLoops() {
    double expected = 0;
    for (int row = 0; row < ROWS; row++) {
      for (int head = 0; head < HEADS; head++) {
        for (int query = 0; query < LENGTHS[row]; query++) {
          for (int key = 0; key < LENGTHS[row]; key++) {
            int i = ((row * HEADS + head) * LONGEST + query) * LONGEST + key;
            expected += Math.pow(student[i] - teacher[i], 2) / (HEADS * PAIRS);
          }
        }
      }
    }

    NDArray actual =
        AttentionLoss.mse(
            LossCheck.floats(manager, student, ROWS, HEADS, LONGEST, LONGEST),
            LossCheck.floats(manager, teacher, ROWS, HEADS, LONGEST, LONGEST),
            LossCheck.floats(manager, mask(), ROWS, LONGEST, 1),
            PAIRS);

    assertThat(LossCheck.value(actual)).isCloseTo(expected, within(5e-6));
  }

  @Test
  void gradientMatchesFiniteDifferences() {
    LossCheck.requireGradient(manager, student, against(teacher), ROWS, HEADS, LONGEST, LONGEST);
  }

  @Test
  void ignoresPadding() {
    double[] otherStudent = student.clone();
    double[] otherTeacher = teacher.clone();
    boolean[] padding = new boolean[student.length];
    for (int i = 0; i < student.length; i++) {
      int length = LENGTHS[i / (HEADS * LONGEST * LONGEST)];
      padding[i] = i / LONGEST % LONGEST >= length || i % LONGEST >= length;
      if (padding[i]) {
        otherStudent[i] = 1000 - i;
        otherTeacher[i] = -3 * i;
      }
    }

    double[] gradient =
        LossCheck.gradient(
            manager, otherStudent, against(otherTeacher), ROWS, HEADS, LONGEST, LONGEST);

    assertThat(value(otherStudent, otherTeacher)).isEqualTo(value(student, teacher));
    for (int i = 0; i < gradient.length; i++) {
      assertThat(gradient[i] == 0).as("element %d", i).isEqualTo(padding[i]);
    }
  }

  @Test
  void rejectsDifferentNumberOfHeads() {
    NDArray two = manager.zeros(new Shape(1, 2, 3, 3));
    NDArray four = manager.zeros(new Shape(1, 4, 3, 3));

    assertThatThrownBy(() -> AttentionLoss.mse(two, four, manager.ones(new Shape(1, 3, 1)), 9))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("student (1, 2, 3, 3) and teacher (1, 4, 3, 3) differ in shape");
  }

  private double value(double[] ours, double[] theirs) {
    return LossCheck.value(
        against(theirs).apply(LossCheck.array(manager, ours, ROWS, HEADS, LONGEST, LONGEST)));
  }

  private Function<NDArray, NDArray> against(double[] theirs) {
    NDArray teacherBHLL = LossCheck.array(manager, theirs, ROWS, HEADS, LONGEST, LONGEST);
    NDArray maskBL1 = LossCheck.array(manager, mask(), ROWS, LONGEST, 1);
    return studentBHLL -> AttentionLoss.mse(studentBHLL, teacherBHLL, maskBL1, PAIRS);
  }

  private static double[] mask() {
    double[] mask = new double[ROWS * LONGEST];
    for (int row = 0; row < ROWS; row++) {
      java.util.Arrays.fill(mask, row * LONGEST, row * LONGEST + LENGTHS[row], 1);
    }
    return mask;
  }
}

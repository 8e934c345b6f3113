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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HiddenLossTest {
  private static final int ROWS = 3;
  private static final int LONGEST = 4;
  private static final int WIDTH = 5;
  private static final int[] LENGTHS = {4, 1, 2};
  private static final int TOKENS = 7;

  private final NDManager manager = NDManager.newBaseManager();
  private final double[] student = LossCheck.random(ROWS * LONGEST * WIDTH, 1);
  private final double[] teacher = LossCheck.random(ROWS * LONGEST * WIDTH, 2);

  /** The two losses, which share their shapes. */
  enum Kind {
    MSE,
    COSINE;

    NDArray of(NDArray studentBLD, NDArray teacherBLD, NDArray maskBL1, long tokens) {
      return switch (this) {
        case MSE -> HiddenLoss.mse(studentBLD, teacherBLD, maskBL1, tokens);
        case COSINE -> HiddenLoss.cosine(studentBLD, teacherBLD, maskBL1, tokens);
      };
    }
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void squaredErrorMatchesHandComputation() {
    NDArray studentBLD = manager.create(new float[] {1, 2, 9, 9}, new Shape(1, 2, 2));
    NDArray teacherBLD = manager.create(new float[] {0, 4, 0, 0}, new Shape(1, 2, 2));
    NDArray firstOnly = manager.create(new float[] {1, 0}, new Shape(1, 2, 1));

    assertThat(LossCheck.value(HiddenLoss.mse(studentBLD, teacherBLD, firstOnly, 1)))
        .isEqualTo((1 + 4) / 2.0);
  }

  @Test
  void cosineMatchesHandComputation() {
    // The first token's cosine is 24/25, the second's is -1.
    NDArray studentBLD = manager.create(new float[] {3, 4, 1, 0}, new Shape(1, 2, 2));
    NDArray teacherBLD = manager.create(new float[] {4, 3, -2, 0}, new Shape(1, 2, 2));
    NDArray both = manager.ones(new Shape(1, 2, 1));

    assertThat(LossCheck.value(HiddenLoss.cosine(studentBLD, teacherBLD, both, 2)))
        .isCloseTo((1 - 24.0 / 25 + 2) / 2, within(1e-6));
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void lossesMatchPlainLoops(Kind kind) {
    NDArray actual =
        kind.of(
            LossCheck.floats(manager, student, ROWS, LONGEST, WIDTH),
            LossCheck.floats(manager, teacher, ROWS, LONGEST, WIDTH),
            LossCheck.floats(manager, mask(), ROWS, LONGEST, 1),
            TOKENS);

    assertThat(LossCheck.value(actual)).isCloseTo(reference(kind), within(2e-6));
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void gradientsMatchFiniteDifferences(Kind kind) {
    LossCheck.requireGradient(manager, student, against(kind, teacher), ROWS, LONGEST, WIDTH);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void ignoresPadding(Kind kind) {
    double[] otherStudent = student.clone();
    double[] otherTeacher = teacher.clone();
    boolean[] padding = new boolean[student.length];
    double[] mask = mask();
    for (int i = 0; i < student.length; i++) {
      padding[i] = mask[i / WIDTH] == 0;
      if (padding[i]) {
        otherStudent[i] = 1000 - i;
        otherTeacher[i] = -3 * i;
      }
    }

    double before = value(kind, student, teacher);
    double after = value(kind, otherStudent, otherTeacher);
    double[] gradient =
        LossCheck.gradient(
            manager, otherStudent, against(kind, otherTeacher), ROWS, LONGEST, WIDTH);

    assertThat(after).isEqualTo(before);
    for (int i = 0; i < gradient.length; i++) {
      assertThat(gradient[i] == 0).as("element %d", i).isEqualTo(padding[i]);
    }
  }

  @Test
  void zeroStateHasFiniteLossAndGradient() {
    double[] zeros = new double[student.length];

    assertThat(value(Kind.COSINE, zeros, teacher)).isCloseTo(1, within(1e-6));
    for (double slope :
        LossCheck.gradient(manager, zeros, against(Kind.COSINE, teacher), ROWS, LONGEST, WIDTH)) {
      assertThat(slope).isFinite();
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void rejectsStatesOfDifferentWidth(Kind kind) {
    NDArray narrow = manager.zeros(new Shape(1, 2, 3));
    NDArray wide = manager.zeros(new Shape(1, 2, 4));
    NDArray maskBL1 = manager.ones(new Shape(1, 2, 1));

    assertThatThrownBy(() -> kind.of(narrow, wide, maskBL1, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("student (1, 2, 3) and teacher (1, 2, 4) differ in shape");
  }

  private double value(Kind kind, double[] ours, double[] theirs) {
    return LossCheck.value(
        against(kind, theirs).apply(LossCheck.array(manager, ours, ROWS, LONGEST, WIDTH)));
  }

  private Function<NDArray, NDArray> against(Kind kind, double[] theirs) {
    NDArray teacherBLD = LossCheck.array(manager, theirs, ROWS, LONGEST, WIDTH);
    NDArray maskBL1 = LossCheck.array(manager, mask(), ROWS, LONGEST, 1);
    return studentBLD -> kind.of(studentBLD, teacherBLD, maskBL1, TOKENS);
  }

  private double reference(Kind kind) {
    double total = 0;
    for (int row = 0; row < ROWS; row++) {
      for (int t = 0; t < LENGTHS[row]; t++) {
        double squares = 0;
        double dot = 0;
        double ours = 0;
        double theirs = 0;
        for (int d = 0; d < WIDTH; d++) {
          double a = student[(row * LONGEST + t) * WIDTH + d];
          double b = teacher[(row * LONGEST + t) * WIDTH + d];
          squares += (a - b) * (a - b);
          dot += a * b;
          ours += a * a;
          theirs += b * b;
        }
        total += kind == Kind.MSE ? squares / WIDTH : 1 - dot / Math.sqrt(ours * theirs);
      }
    }
    return total / TOKENS;
  }

  private static double[] mask() {
    double[] mask = new double[ROWS * LONGEST];
    for (int row = 0; row < ROWS; row++) {
      java.util.Arrays.fill(mask, row * LONGEST, row * LONGEST + LENGTHS[row], 1);
    }
    return mask;
  }
}

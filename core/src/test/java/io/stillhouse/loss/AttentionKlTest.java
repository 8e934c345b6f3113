package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.model.encoder.Encoder;
import java.util.Arrays;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests the divergence of attention distributions, and of relations of vectors. */
class AttentionKlTest {
  private static final int ROWS = 3;
  private static final int HEADS = 2;
  private static final int LONGEST = 3;
  private static final int WIDTH = 6;
  private static final int[] LENGTHS = {3, 1, 2};
  private static final int TOKENS = 6;

  private final NDManager manager = NDManager.newBaseManager();
  private final double[] student = LossCheck.random(ROWS * HEADS * LONGEST * LONGEST, 1);
  private final double[] teacher = LossCheck.random(ROWS * HEADS * LONGEST * LONGEST, 2);
  private final double[] studentVectors = LossCheck.random(ROWS * LONGEST * WIDTH, 3);
  private final double[] teacherVectors = LossCheck.random(ROWS * LONGEST * 2 * WIDTH, 4);

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void divergenceMatchesHandComputation() {
    // Two real tokens and one of padding. The first attends to them 1 : 3 in the teacher and 1 : 1
    // in the student; the second attends equally in both.
    float three = (float) Math.log(3);
    NDArray teacherBHLL =
        manager.create(new float[] {0, three, 9, three, 0, 9, 9, 9, 9}, new Shape(1, 1, 3, 3));
    NDArray studentBHLL =
        manager.create(new float[] {5, 5, -7, 2 + three, 2, -7, 0, 0, 0}, new Shape(1, 1, 3, 3));
    NDArray firstTwo = manager.create(new float[] {1, 1, 0}, new Shape(1, 3, 1));

    assertThat(LossCheck.value(AttentionLoss.kl(studentBHLL, teacherBHLL, firstTwo, 2)))
        .isCloseTo((Math.log(0.5) / 4 + 3 * Math.log(1.5) / 4) / 2, within(1e-7));
  }

  @Test
  void relationsMatchHandComputation() {
    // Vectors of four numbers in two heads: (1, 2 | 3, 4) and (5, 6 | 7, 8).
    NDArray vectorsBLD = manager.create(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, new Shape(1, 2, 4));

    float[] relations = Encoder.relations(vectorsBLD, 2).toFloatArray();

    double[] products = {5, 17, 17, 61, 25, 53, 53, 113};
    assertThat(relations).hasSize(8);
    for (int i = 0; i < 8; i++) {
      assertThat((double) relations[i]).isCloseTo(products[i] / Math.sqrt(2), within(1e-4));
    }
  }

  @Test
  void divergenceMatchesPlainLoops() {
    NDArray actual =
        AttentionLoss.kl(
            LossCheck.floats(manager, student, ROWS, HEADS, LONGEST, LONGEST),
            LossCheck.floats(manager, teacher, ROWS, HEADS, LONGEST, LONGEST),
            LossCheck.floats(manager, mask(), ROWS, LONGEST, 1),
            TOKENS);

    assertThat(LossCheck.value(actual)).isCloseTo(reference(student, teacher), within(2e-6));
  }

  @Test
  void relationsOfOtherWidthsMatchPlainLoops() {
    double value = LossCheck.value(ofVectors().apply(vectors(studentVectors)));

    assertThat(value)
        .isCloseTo(
            reference(products(studentVectors, WIDTH), products(teacherVectors, 2 * WIDTH)),
            within(1e-6));
  }

  @Test
  void needsNoMaskWithoutPadding() {
    NDArray ours = LossCheck.array(manager, student, ROWS, HEADS, LONGEST, LONGEST);
    NDArray theirs = LossCheck.array(manager, teacher, ROWS, HEADS, LONGEST, LONGEST);
    NDArray all = manager.ones(new Shape(ROWS, LONGEST, 1));

    assertThat(LossCheck.value(AttentionLoss.kl(ours, theirs, null, 9)))
        .isEqualTo(LossCheck.value(AttentionLoss.kl(ours, theirs, all, 9)));
  }

  @Test
  void gradientMatchesFiniteDifferences() {
    LossCheck.requireGradient(manager, student, against(teacher), ROWS, HEADS, LONGEST, LONGEST);
  }

  @Test
  void gradientOfRelationsMatchesFiniteDifferences() {
    LossCheck.requireGradient(manager, studentVectors, ofVectors(), ROWS, LONGEST, WIDTH);
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
      // A row of one token attends only to itself, whatever its score.
      boolean alone = LENGTHS[i / (HEADS * LONGEST * LONGEST)] == 1;
      assertThat(gradient[i] == 0).as("element %d", i).isEqualTo(padding[i] || alone);
    }
  }

  @Test
  void ignoresVectorsAtPadding() {
    double[] other = studentVectors.clone();
    double[] mask = mask();
    for (int i = 0; i < other.length; i++) {
      other[i] = mask[i / WIDTH] == 0 ? 40 - i : other[i];
    }

    double[] gradient = LossCheck.gradient(manager, other, ofVectors(), ROWS, LONGEST, WIDTH);

    assertThat(LossCheck.value(ofVectors().apply(vectors(other))))
        .isEqualTo(LossCheck.value(ofVectors().apply(vectors(studentVectors))));
    for (int i = 0; i < gradient.length; i++) {
      boolean alone = LENGTHS[i / (LONGEST * WIDTH)] == 1;
      assertThat(gradient[i] == 0).as("element %d", i).isEqualTo(mask[i / WIDTH] == 0 || alone);
    }
  }

  @Test
  void rejectsDifferentNumberOfHeads() {
    NDArray two = manager.zeros(new Shape(1, 2, 3, 3));
    NDArray four = manager.zeros(new Shape(1, 4, 3, 3));

    assertThatThrownBy(() -> AttentionLoss.kl(two, four, null, 3))
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
    return studentBHLL -> AttentionLoss.kl(studentBHLL, teacherBHLL, maskBL1, TOKENS);
  }

  private Function<NDArray, NDArray> ofVectors() {
    NDArray teacherBLD = LossCheck.array(manager, teacherVectors, ROWS, LONGEST, 2 * WIDTH);
    NDArray maskBL1 = LossCheck.array(manager, mask(), ROWS, LONGEST, 1);
    return studentBLD ->
        AttentionLoss.kl(
            Encoder.relations(studentBLD, HEADS),
            Encoder.relations(teacherBLD, HEADS),
            maskBL1,
            TOKENS);
  }

  private NDArray vectors(double[] values) {
    return LossCheck.array(manager, values, ROWS, LONGEST, WIDTH);
  }

  private static double reference(double[] student, double[] teacher) {
    double total = 0;
    for (int row = 0; row < ROWS; row++) {
      for (int head = 0; head < HEADS; head++) {
        for (int query = 0; query < LENGTHS[row]; query++) {
          int from = ((row * HEADS + head) * LONGEST + query) * LONGEST;
          double[] q = softmax(student, from, LENGTHS[row]);
          double[] p = softmax(teacher, from, LENGTHS[row]);
          for (int key = 0; key < LENGTHS[row]; key++) {
            total += p[key] * Math.log(p[key] / q[key]) / (HEADS * TOKENS);
          }
        }
      }
    }
    return total;
  }

  private static double[] softmax(double[] scores, int from, int count) {
    double[] exponentials = Arrays.stream(scores, from, from + count).map(Math::exp).toArray();
    double sum = Arrays.stream(exponentials).sum();
    return Arrays.stream(exponentials).map(e -> e / sum).toArray();
  }

  private static double[] products(double[] vectors, int width) {
    double[] products = new double[ROWS * HEADS * LONGEST * LONGEST];
    int size = width / HEADS;
    for (int i = 0; i < products.length; i++) {
      int row = i / (HEADS * LONGEST * LONGEST);
      int head = i / (LONGEST * LONGEST) % HEADS;
      int left = (row * LONGEST + i / LONGEST % LONGEST) * width + head * size;
      int right = (row * LONGEST + i % LONGEST) * width + head * size;
      for (int d = 0; d < size; d++) {
        products[i] += vectors[left + d] * vectors[right + d] / Math.sqrt(size);
      }
    }
    return products;
  }

  private static double[] mask() {
    double[] mask = new double[ROWS * LONGEST];
    for (int row = 0; row < ROWS; row++) {
      Arrays.fill(mask, row * LONGEST, row * LONGEST + LENGTHS[row], 1);
    }
    return mask;
  }
}

package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.CachedTargets;
import io.stillhouse.codec.SoftLabels;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.torch.Autograd;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The divergence from soft labels that were read back from cells. */
class StoredSoftLabelsTest extends CachedTargets {
  @ParameterizedTest
  @EnumSource(Positions.class)
  void divergenceFromDenseLabelsEqualsDivergenceFromTeacher(Positions positions) {
    MlmTargets dense = new MlmTargets(MlmTargets.Kind.DENSE, 0, List.of(), positions);
    TargetBatch read = cached(Dtype.FLOAT32, List.of(), List.of(), dense);

    NDArray studentNV = student().get(":" + liveLogits(positions).getShape().get(0));
    assertThat(divergence(read, positions, 2))
        .isCloseTo(SoftLabelLoss.kl(studentNV, liveLogits(positions), 2).getFloat(), within(1e-6f));
  }

  @ParameterizedTest
  @CsvSource({"1.0, 8", "2.0, 8", "2.5, 3"})
  void divergenceFromTopKAndTailEqualsPlainLoops(double temperature, int k) {
    MlmTargets top =
        new MlmTargets(MlmTargets.Kind.TOP_K, k, List.of(2.5, 1.0, 2.0), Positions.ALL);
    TargetBatch read = cached(Dtype.FLOAT32, List.of(), List.of(), top);

    float[] theirs = liveLogits(Positions.ALL).toFloatArray();
    int classes = (int) liveLogits(Positions.ALL).getShape().get(1);
    double expected = 0;
    int tokens = theirs.length / classes;
    for (int n = 0; n < tokens; n++) {
      double[] teacherP = LossCheck.softmax(theirs, n * classes, classes, temperature);
      double[] studentP =
          LossCheck.softmax(student().toFloatArray(), n * classes, classes, temperature);
      Integer[] order = new Integer[classes];
      Arrays.setAll(order, i -> i);
      Arrays.sort(order, (a, b) -> Double.compare(teacherP[b], teacherP[a]));
      double tail = 1;
      double studentTail = 1;
      for (int i = 0; i < k; i++) {
        double p = teacherP[order[i]];
        expected += p * Math.log(p / studentP[order[i]]) / tokens;
        tail -= p;
        studentTail -= studentP[order[i]];
      }
      expected += tail * Math.log(tail / studentTail) / tokens;
    }
    assertThat((double) divergence(read, Positions.ALL, temperature))
        .isCloseTo(expected * temperature * temperature, within(1e-4));
  }

  @Test
  void divergenceFromManyDrawsConvergesToFullDivergence() {
    int caches = 200;
    int draws = 50;
    int classes = (int) liveLogits(Positions.ALL).getShape().get(1);
    double[] expected = LossCheck.softmax(liveLogits(Positions.ALL).toFloatArray(), 0, classes, 1);
    double[] seen = new double[classes];
    double[] divergences = new double[caches];
    for (int seed = 0; seed < caches; seed++) {
      SoftLabels labels = sampled(seed, draws).maskedLmSoftLabels(Positions.ALL, 1);
      long[] ids = labels.idsNK().get(0).toLongArray();
      float[] shares = labels.probabilitiesNK().get(0).toFloatArray();
      for (int i = 0; i < ids.length; i++) {
        seen[(int) ids[i]] += shares[i] / caches;
      }
      divergences[seed] = SoftLabelLoss.kl(student(), labels, 1).getFloat();
    }

    for (int c = 0; c < classes; c++) {
      double error = Math.sqrt(expected[c] * (1 - expected[c]) / (caches * draws));
      assertThat(seen[c]).isCloseTo(expected[c], within(5 * error));
    }
    double mean = Arrays.stream(divergences).average().orElseThrow();
    double squares = Arrays.stream(divergences).map(d -> (d - mean) * (d - mean)).sum();
    assertThat(mean)
        .isCloseTo(
            SoftLabelLoss.kl(student(), liveLogits(Positions.ALL), 1).getFloat(),
            within(4 * Math.sqrt(squares / (caches - 1) / caches)));
  }

  @Test
  void gradientFromTopKMatchesFiniteDifferences() {
    NDArray ids = manager.create(new long[] {4, 1, 0, 3}, new Shape(2, 2));
    NDArray lessLargest = manager.create(new float[] {0, -0.5f, 0, -1.5f}, new Shape(2, 2));
    SoftLabels labels =
        SoftLabels.top(ids, lessLargest, manager.create(new float[] {0.9f, 0.8f}), 2);

    LossCheck.requireGradient(
        manager, LossCheck.random(10, 1), student -> SoftLabelLoss.kl(student, labels, 2), 2, 5);
  }

  @Test
  void gradientFromDrawsMatchesFiniteDifferences() {
    NDArray ids = manager.create(new long[] {4, 1, 3, 0}, new Shape(2, 2));
    NDArray shares = manager.create(new float[] {0.75f, 0.25f, 1, 0}, new Shape(2, 2));
    SoftLabels labels = SoftLabels.sampled(ids, shares, manager.create(new float[] {0.9f, 0.2f}));

    LossCheck.requireGradient(
        manager, LossCheck.random(10, 1), student -> SoftLabelLoss.kl(student, labels, 1), 2, 5);
  }

  private TargetBatch sampled(long seed, int draws) {
    MlmTargets mlm = sampledTargets(draws);
    return read(mlm, Dtype.INT8, new HashMap<>(encode(mlm, Dtype.INT8, seed, rows)));
  }

  private static MlmTargets sampledTargets(int draws) {
    return new MlmTargets(MlmTargets.Kind.SAMPLED, draws, List.of(1.0), Positions.ALL);
  }

  private float divergence(TargetBatch read, Positions positions, double temperature) {
    NDArray studentNV =
        positions == Positions.ALL
            ? student()
            : student().get(":" + liveLogits(positions).getShape().get(0));
    return SoftLabelLoss.kl(studentNV, read.maskedLmSoftLabels(positions, temperature), temperature)
        .getFloat();
  }

  /** Returns logits that are not the teacher's, (N, V). */
  private NDArray student() {
    NDArray logits = liveLogits(Positions.ALL);
    return logits.add(Autograd.multiply(logits.sin(), 0.7));
  }
}

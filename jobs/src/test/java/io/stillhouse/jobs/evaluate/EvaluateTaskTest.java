package io.stillhouse.jobs.evaluate;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.evaluate.EvaluateTask.MaskedCounts;
import io.stillhouse.jobs.evaluate.EvaluateTask.RowResult;
import org.junit.jupiter.api.Test;

class EvaluateTaskTest {
  @Test
  void tellsWhetherLogitsOfTeacherAreFinite() {
    assertThat(task(1, 2).teacherIsFinite()).isTrue();
    assertThat(task(1, Float.NaN).teacherIsFinite()).isFalse();
    assertThat(task(Float.NEGATIVE_INFINITY, 1).teacherIsFinite()).isFalse();
  }

  @Test
  void tellsWhetherLossOfTeacherIsFinite() {
    assertThat(maskedLm(2.5).teacherIsFinite()).isTrue();
    assertThat(maskedLm(Double.NaN).teacherIsFinite()).isFalse();
  }

  private static RowResult task(float... teacher) {
    return new RowResult("k", 0, new float[][] {teacher, {Float.NaN, 0}}, null);
  }

  private static RowResult maskedLm(double nll) {
    return new RowResult(
        "k",
        Double.NaN,
        new float[0][],
        new MaskedCounts(1, new int[2], new int[2], new double[] {nll, Double.NaN}));
  }
}

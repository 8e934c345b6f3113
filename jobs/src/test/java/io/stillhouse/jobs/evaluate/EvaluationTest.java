package io.stillhouse.jobs.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.jobs.evaluate.EvaluateTask.MaskedCounts;
import io.stillhouse.jobs.evaluate.EvaluateTask.RowResult;
import io.stillhouse.jobs.evaluate.Evaluation.Candidate;
import java.util.List;
import org.junit.jupiter.api.Test;

class EvaluationTest {
  private static final List<Candidate> THREE =
      List.of(
          new Candidate("teacher", "/t", 1_234_567),
          new Candidate("distilled", "/d", 1000),
          new Candidate("undistilled", "/u", 1000));

  @Test
  void countsClassesByHand() {
    Evaluation evaluation =
        Evaluation.classification(
            THREE,
            List.of(
                row(0, new float[] {2, 1}, new float[] {2, 1}, new float[] {1, 2}),
                row(0, new float[] {1, 2}, new float[] {1, 2}, new float[] {2, 1}),
                row(1, new float[] {1, 2}, new float[] {1, 2}, new float[] {1, 2}),
                row(1, new float[] {1, 2}, new float[] {2, 1}, new float[] {2, 1})),
            List.of("rows.csv"));
    assertThat(metric(evaluation, 0, "agreement")).isEqualTo(1.0);
    assertThat(metric(evaluation, 0, "accuracy")).isEqualTo(0.75);
    assertThat(metric(evaluation, 1, "agreement")).isEqualTo(0.75);
    assertThat(metric(evaluation, 1, "accuracy")).isEqualTo(0.5);
    assertThat(metric(evaluation, 2, "agreement")).isEqualTo(0.25);
    assertThat(metric(evaluation, 2, "accuracy")).isEqualTo(0.5);
    assertThat(evaluation.data().rows()).isEqualTo(4);
  }

  @Test
  void aDistilledStudentIsPairedWithItsTwin() {
    Evaluation evaluation =
        Evaluation.classification(
            THREE,
            List.of(
                row(0, new float[] {2, 1}, new float[] {2, 1}, new float[] {1, 2}),
                row(1, new float[] {1, 2}, new float[] {1, 2}, new float[] {1, 2})),
            List.of());
    assertThat(evaluation.comparisons())
        .extracting(Evaluation.Comparison::model, Evaluation.Comparison::than)
        .containsOnly(org.assertj.core.groups.Tuple.tuple("distilled", "undistilled"));
    Evaluation.Comparison agreement = evaluation.comparisons().get(0);
    assertThat(agreement.metric()).isEqualTo("agreement");
    assertThat(agreement.difference()).isEqualTo(0.5);
    assertThat(agreement.rows()).isEqualTo(2);
  }

  @Test
  void withoutLabelsThereIsAgreementAlone() {
    Evaluation evaluation =
        Evaluation.classification(
            THREE,
            List.of(row(Double.NaN, new float[] {2, 1}, new float[] {2, 1}, new float[] {1, 2})),
            List.of());
    assertThat(evaluation.models().get(1).metrics()).containsOnlyKeys("agreement");
  }

  @Test
  void maskedTokensAreCountedNotRows() {
    Evaluation evaluation =
        Evaluation.maskedLm(
            THREE,
            List.of(
                masked(3, new int[] {3, 2, 1}, new int[] {3, 3, 0}, new double[] {3, 6, 9}),
                masked(1, new int[] {0, 0, 0}, new int[] {1, 0, 0}, new double[] {1, 2, 3})),
            List.of());
    assertThat(metric(evaluation, 0, "agreement")).isEqualTo(1.0);
    assertThat(metric(evaluation, 1, "agreement")).isEqualTo(0.75);
    assertThat(metric(evaluation, 1, "accuracy")).isEqualTo(0.5);
    assertThat(metric(evaluation, 1, "perplexity")).isEqualTo(Math.exp(2), within(1e-12));
    assertThat(evaluation.data().maskedTokens()).isEqualTo(4);
  }

  @Test
  void regressionAgreementIsCorrelationWithTheTeacher() {
    List<Candidate> two = THREE.subList(0, 2);
    Evaluation evaluation =
        Evaluation.regression(
            two,
            List.of(
                row(1, new float[] {1}, new float[] {-2}),
                row(2, new float[] {2}, new float[] {-4}),
                row(4, new float[] {3}, new float[] {-6})),
            List.of());
    assertThat(metric(evaluation, 0, "agreement")).isEqualTo(1.0, within(1e-12));
    assertThat(metric(evaluation, 1, "agreement")).isEqualTo(-1.0, within(1e-12));
    assertThat(metric(evaluation, 1, "spearman")).isEqualTo(-1.0, within(1e-12));
  }

  @Test
  void theTableHasALineForEachModelAndComparison() {
    Evaluation evaluation =
        Evaluation.classification(
            THREE,
            List.of(
                row(0, new float[] {2, 1}, new float[] {2, 1}, new float[] {1, 2}),
                row(1, new float[] {1, 2}, new float[] {1, 2}, new float[] {1, 2})),
            List.of());
    List<String> lines = evaluation.table().lines().toList();
    assertThat(lines).hasSize(4 + 2);
    assertThat(lines.get(0)).matches("model +parameters +agreement +accuracy.*");
    assertThat(lines.get(1)).matches("teacher +1,234,567 +1\\.0000 +1\\.0000.*");
    assertThat(lines.get(3)).matches("undistilled +1,000 +0\\.5000 +0\\.5000.*");
    assertThat(lines.get(0)).hasSameSizeAs(lines.get(1)).hasSameSizeAs(lines.get(3));
    assertThat(lines.get(4))
        .startsWith("distilled against undistilled, paired over 2 rows: agreement +0.5000");
  }

  private static double metric(Evaluation evaluation, int model, String name) {
    return evaluation.models().get(model).metrics().get(name);
  }

  private static RowResult row(double label, float[]... logits) {
    return new RowResult("r", label, logits, null);
  }

  private static RowResult masked(int tokens, int[] correct, int[] agreeing, double[] nll) {
    return new RowResult(
        "r", Double.NaN, new float[0][], new MaskedCounts(tokens, correct, agreeing, nll));
  }
}

package io.stillhouse.jobs.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.evaluate.EvaluateTask.MaskedCounts;
import io.stillhouse.jobs.evaluate.EvaluateTask.RowResult;
import io.stillhouse.jobs.evaluate.Evaluator.Candidate;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Metric;
import io.stillhouse.spec.Task;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EvaluationTest {
  private static final List<Candidate> THREE =
      List.of(
          new Candidate("teacher", "/t", 1_234_567),
          new Candidate("distilled", "/d", 1000),
          new Candidate("baseline", "/u", 1000));

  @Test
  void countsClasses() {
    Evaluation evaluation =
        classification(
            THREE,
            List.of(
                row(0, new float[] {2, 1}, new float[] {2, 1}, new float[] {1, 2}),
                row(0, new float[] {1, 2}, new float[] {1, 2}, new float[] {2, 1}),
                row(1, new float[] {1, 2}, new float[] {1, 2}, new float[] {1, 2}),
                row(1, new float[] {1, 2}, new float[] {2, 1}, new float[] {2, 1})));
    assertThat(metric(evaluation, 0, "agreement")).isEqualTo(1.0);
    assertThat(metric(evaluation, 0, "accuracy")).isEqualTo(0.75);
    assertThat(metric(evaluation, 1, "agreement")).isEqualTo(0.75);
    assertThat(metric(evaluation, 1, "accuracy")).isEqualTo(0.5);
    assertThat(metric(evaluation, 2, "agreement")).isEqualTo(0.25);
    assertThat(metric(evaluation, 2, "accuracy")).isEqualTo(0.5);
    assertThat(evaluation.data().rows()).isEqualTo(4);
  }

  @Test
  void pairsDistilledStudentWithItsBaseline() {
    Evaluation evaluation =
        classification(
            THREE,
            List.of(
                row(0, new float[] {2, 1}, new float[] {2, 1}, new float[] {1, 2}),
                row(1, new float[] {1, 2}, new float[] {1, 2}, new float[] {1, 2})));
    assertThat(evaluation.comparisons())
        .extracting(Evaluation.Comparison::model, Evaluation.Comparison::reference)
        .containsOnly(tuple("distilled", "baseline"));
    Evaluation.Comparison agreement = evaluation.comparisons().get(0);
    assertThat(agreement.metric()).isEqualTo("agreement");
    assertThat(agreement.difference()).isEqualTo(0.5);
    assertThat(agreement.rows()).isEqualTo(2);
  }

  @Test
  void reportsOnlyAgreementWithoutLabels() {
    Evaluation evaluation =
        classification(
            THREE,
            List.of(row(Double.NaN, new float[] {2, 1}, new float[] {2, 1}, new float[] {1, 2})));
    assertThat(evaluation.models().get(1).metrics()).containsOnlyKeys("agreement");
  }

  @Test
  void countsMaskedTokensRatherThanRows() {
    Evaluation evaluation =
        new MaskedLmEvaluator(
                THREE,
                "",
                List.of(
                    masked(3, new int[] {3, 2, 1}, new int[] {3, 3, 0}, new double[] {3, 6, 9}),
                    masked(1, new int[] {0, 0, 0}, new int[] {1, 0, 0}, new double[] {1, 2, 3})))
            .evaluate(new Evaluation.Data(List.of(), 2, 4, 0));
    assertThat(metric(evaluation, 0, "agreement")).isEqualTo(1.0);
    assertThat(metric(evaluation, 1, "agreement")).isEqualTo(0.75);
    assertThat(metric(evaluation, 1, "accuracy")).isEqualTo(0.5);
    assertThat(metric(evaluation, 1, "perplexity")).isEqualTo(Math.exp(2), within(1e-12));
    assertThat(evaluation.data().maskedTokens()).isEqualTo(4);
  }

  @Test
  void agreementOfRegressionIsCorrelationWithTeacher() {
    List<Candidate> two = THREE.subList(0, 2);
    Evaluation evaluation =
        regression(
            two,
            List.of(
                row(1, new float[] {1}, new float[] {-2}),
                row(2, new float[] {2}, new float[] {-4}),
                row(4, new float[] {3}, new float[] {-6})));
    assertThat(metric(evaluation, 0, "agreement")).isEqualTo(1.0, within(1e-12));
    assertThat(metric(evaluation, 1, "agreement")).isEqualTo(-1.0, within(1e-12));
    assertThat(metric(evaluation, 1, "spearman")).isEqualTo(-1.0, within(1e-12));
  }

  @Test
  void retentionIsShareOfMetricOfTeacher() {
    Evaluation evaluation =
        classification(
            THREE,
            List.of(
                row(0, new float[] {2, 1}, new float[] {2, 1}, new float[] {1, 2}),
                row(0, new float[] {2, 1}, new float[] {1, 2}, new float[] {1, 2}),
                row(1, new float[] {1, 2}, new float[] {1, 2}, new float[] {1, 2}),
                row(1, new float[] {2, 1}, new float[] {2, 1}, new float[] {2, 1})));

    assertThat(evaluation.models().get(0).retention()).isNull();
    Evaluation.Retention retention = evaluation.models().get(1).retention();
    assertThat(retention.metric()).isEqualTo("accuracy");
    assertThat(retention.share()).isEqualTo(0.5 / 0.75);
    assertThat(retention.standardError()).isPositive();
    assertThat(evaluation.models().get(1).standardErrors()).containsKey("accuracy");
  }

  @Test
  void comparesGroupOfSeedsWithItsBaselines() {
    List<Candidate> candidates =
        List.of(
            new Candidate("teacher", "/t", 9),
            new Candidate("tiny_seed-1", "/1", 9),
            new Candidate("tiny_seed-1-baseline", "/1u", 9),
            new Candidate("tiny_seed-2", "/2", 9),
            new Candidate("tiny_seed-2-baseline", "/2u", 9),
            new Candidate("tiny_seed-3", "/3", 9),
            new Candidate("alone_seed-1", "/4", 9));
    float[] yes = {0, 1};
    float[] no = {1, 0};
    Evaluation evaluation =
        classification(
            candidates,
            List.of(
                row(1, yes, yes, yes, yes, no, yes, no),
                row(1, yes, yes, no, no, no, yes, no),
                row(0, no, no, yes, no, no, yes, no)));

    assertThat(evaluation.groups())
        .extracting(Evaluation.Group::name, Evaluation.Group::seeds)
        .containsExactly(tuple("tiny", 3), tuple("tiny-baseline", 2));
    Evaluation.Group tiny = evaluation.groups().get(0);
    assertThat(tiny.metrics().get("accuracy")).isEqualTo(7.0 / 9, within(1e-12));
    assertThat(tiny.standardErrors().get("accuracy"))
        .isEqualTo(Math.sqrt((4 + 1 + 1) / 81.0 / 2 / 3), within(1e-12));

    Evaluation.Comparison accuracy =
        evaluation.comparisons().stream()
            .filter(c -> c.seeds() != null && c.metric().equals("accuracy"))
            .findFirst()
            .orElseThrow();
    assertThat(accuracy.model()).isEqualTo("tiny");
    assertThat(accuracy.reference()).isEqualTo("tiny-baseline");
    assertThat(accuracy.difference()).isEqualTo((2.0 / 3 + 1.0 / 3) / 2, within(1e-12));
    assertThat(accuracy.seeds().count()).isEqualTo(2);
    assertThat(accuracy.seeds().standardError()).isEqualTo(1.0 / 6, within(1e-12));
    assertThat(evaluation.table()).contains("tiny, 3 seeds", "over 2 seeds)");
  }

  @Test
  void comparesAllStudentsWithReference() {
    List<Candidate> candidates =
        List.of(
            new Candidate("teacher", "/t", 9),
            new Candidate("full_seed-1", "/1", 9),
            new Candidate("full_seed-2", "/2", 9),
            new Candidate("less_seed-1", "/3", 9),
            new Candidate("less_seed-2", "/4", 9));
    float[] yes = {0, 1};
    float[] no = {1, 0};
    List<RowResult> rows = List.of(row(1, yes, yes, yes, no, yes), row(0, no, no, no, yes, no));
    Head head = new Head(Task.CLASSIFICATION, List.of("no", "yes"));
    Evaluation evaluation =
        new TaskEvaluator(candidates, "full", head, List.of(Metric.ACCURACY), rows)
            .evaluate(data(rows));

    assertThat(evaluation.comparisons())
        .extracting(
            Evaluation.Comparison::model,
            Evaluation.Comparison::reference,
            Evaluation.Comparison::difference)
        .containsOnly(tuple("less", "full", -0.5));
  }

  @Test
  void referenceMayBeStudentOrGroupOfSeeds() {
    List<Candidate> candidates =
        List.of(
            new Candidate("teacher", "/t", 9),
            new Candidate("full_seed-1", "/1", 9),
            new Candidate("full_seed--1234567890", "/2", 9));

    for (String known : List.of("", "full_seed-1", "full")) {
      assertThatCode(() -> Evaluator.requireNamed(candidates, known)).doesNotThrowAnyException();
    }
  }

  @Test
  void rejectsUnknownReference() {
    List<Candidate> candidates =
        List.of(
            new Candidate("teacher", "/t", 9),
            new Candidate("full_seed-1", "/1", 9),
            new Candidate("full_seed--1234567890", "/2", 9));

    assertThatThrownBy(() -> Evaluator.requireNamed(candidates, "fuller"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "evaluate.reference is 'fuller', but the students are [full_seed-1,"
                + " full_seed--1234567890, full]; name one of them");
  }

  @Test
  void comparesFirstMetric() {
    Head head = new Head(Task.CLASSIFICATION, List.of("no", "yes"));
    List<RowResult> rows =
        List.of(
            row(0, new float[] {2, 1}, new float[] {2, 1}, new float[] {1, 2}),
            row(1, new float[] {1, 2}, new float[] {1, 2}, new float[] {1, 2}));
    Evaluation evaluation =
        new TaskEvaluator(THREE, "", head, List.of(Metric.F1, Metric.ACCURACY), rows)
            .evaluate(data(rows));

    assertThat(evaluation.models().get(1).metrics())
        .containsOnlyKeys("agreement", "f1", "accuracy");
    assertThat(evaluation.comparisons())
        .extracting(Evaluation.Comparison::metric)
        .containsExactly("agreement", "f1");
    assertThat(evaluation.comparisons().get(1).difference()).isEqualTo(1 - 2.0 / 3, within(1e-12));
  }

  @Test
  void tableHasLineForEachModelAndComparison() {
    Evaluation evaluation =
        classification(
            THREE,
            List.of(
                row(0, new float[] {2, 1}, new float[] {2, 1}, new float[] {1, 2}),
                row(1, new float[] {1, 2}, new float[] {1, 2}, new float[] {1, 2})));
    List<String> lines =
        evaluation.withBytes(Map.of("teacher", 4_938_268L)).table().lines().toList();
    assertThat(lines).hasSize(4 + 2 + 1);
    assertThat(lines.get(0)).matches("model +parameters +MB +agreement +accuracy.*");
    assertThat(lines.get(1)).matches("teacher +1,234,567 +4\\.9 +1\\.0000 +1\\.0000 ± 0\\.0000.*");
    assertThat(lines.get(3)).matches("baseline +1,000 +0\\.5000 +0\\.5000 ± 0\\.\\d{4}.*");
    assertThat(lines.get(0)).hasSameSizeAs(lines.get(1)).hasSameSizeAs(lines.get(3));
    assertThat(lines.get(4))
        .startsWith("distilled against baseline, paired over 2 rows: agreement +0.5000");
    assertThat(lines.get(6))
        .isEqualTo(
            "these rows show no difference that exceeds two standard errors: accuracy is 1.000 for"
                + " distilled and 0.500 for baseline.");
  }

  @Test
  void doesNotScoreModelWithoutFiniteOutputs() {
    float[] nan = {Float.NaN, Float.NaN};
    Evaluation evaluation =
        classification(
            THREE,
            List.of(
                row(0, new float[] {2, 1}, nan, new float[] {1, 2}),
                row(1, new float[] {1, 2}, nan, new float[] {1, 2})));

    assertThat(evaluation.models().get(1).notFiniteRows()).isEqualTo(2);
    assertThat(evaluation.models().get(1).metrics()).isEmpty();
    assertThat(evaluation.models().get(1).retention()).isNull();
    assertThat(metric(evaluation, 2, "accuracy")).isEqualTo(0.5);
    assertThat(evaluation.comparisons()).isEmpty();
    assertThat(evaluation.table().lines().toList().get(2)).matches("distilled +1,000( +-){4} *");
    assertThat(evaluation.table())
        .contains("distilled gives no finite output for 2 of 2 rows, so it is not scored");
  }

  @Test
  void oneInfiniteLogitIsEnough() {
    Evaluation evaluation =
        regression(
            THREE.subList(0, 2),
            List.of(
                row(1, new float[] {1}, new float[] {2}),
                row(2, new float[] {2}, new float[] {Float.NEGATIVE_INFINITY}),
                row(3, new float[] {3}, new float[] {1})));

    assertThat(evaluation.models().get(1).notFiniteRows()).isEqualTo(1);
    assertThat(evaluation.table()).contains("distilled gives no finite output for 1 of 3 rows");
    assertThat(evaluation.models().get(0).metrics()).containsKey("pearson");
  }

  @Test
  void nothingAgreesWithTeacherWithoutFiniteOutputs() {
    Evaluation evaluation =
        classification(
            THREE,
            List.of(
                row(0, new float[] {Float.NaN, 1}, new float[] {2, 1}, new float[] {1, 2}),
                row(1, new float[] {1, 2}, new float[] {1, 2}, new float[] {1, 2})));

    assertThat(evaluation.models().get(0).metrics()).isEmpty();
    assertThat(evaluation.models().get(1).metrics()).doesNotContainKey("agreement");
    assertThat(evaluation.models().get(1).retention()).isNull();
    assertThat(metric(evaluation, 1, "accuracy")).isEqualTo(1);
    assertThat(evaluation.comparisons())
        .extracting(Evaluation.Comparison::metric)
        .containsExactly("accuracy");
  }

  @Test
  void leavesSeedWithoutFiniteOutputsOutOfItsGroup() {
    List<Candidate> candidates =
        List.of(
            new Candidate("teacher", "/t", 9),
            new Candidate("tiny_seed-1", "/1", 9),
            new Candidate("tiny_seed-2", "/2", 9),
            new Candidate("tiny_seed-3", "/3", 9));
    float[] yes = {0, 1};
    Evaluation evaluation =
        classification(candidates, List.of(row(1, yes, yes, yes, new float[] {Float.NaN, 0})));

    assertThat(evaluation.groups())
        .extracting(Evaluation.Group::name, Evaluation.Group::seeds)
        .containsExactly(tuple("tiny", 2));
  }

  @Test
  void doesNotScoreMaskedLmWithoutFiniteOutputs() {
    Evaluation evaluation =
        new MaskedLmEvaluator(
                THREE,
                "",
                List.of(
                    masked(3, new int[] {3, 2, 1}, new int[] {3, 3, 0}, new double[] {3, 6, 9}),
                    masked(
                        1,
                        new int[] {0, 0, 0},
                        new int[] {1, 0, 0},
                        new double[] {1, Double.NaN, 3})))
            .evaluate(new Evaluation.Data(List.of(), 2, 4, 0));

    assertThat(evaluation.models().get(1).metrics()).isEmpty();
    assertThat(evaluation.models().get(1).notFiniteRows()).isEqualTo(1);
    assertThat(metric(evaluation, 2, "accuracy")).isEqualTo(0.25);
  }

  private static Evaluation classification(List<Candidate> candidates, List<RowResult> rows) {
    Head head = new Head(Task.CLASSIFICATION, List.of("no", "yes"));
    return new TaskEvaluator(candidates, "", head, Metric.of(head.task()), rows)
        .evaluate(data(rows));
  }

  private static Evaluation regression(List<Candidate> candidates, List<RowResult> rows) {
    return new TaskEvaluator(candidates, "", Head.REGRESSION, Metric.of(Task.REGRESSION), rows)
        .evaluate(data(rows));
  }

  private static Evaluation.Data data(List<RowResult> rows) {
    return new Evaluation.Data(List.of(), rows.size(), 0, 0);
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

package io.stillhouse.jobs.evaluate;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.evaluate.Evaluation.Comparison;
import io.stillhouse.jobs.evaluate.Evaluation.Model;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class VerdictTest {
  @Test
  void saysThatDistillingHelped() {
    assertThat(verdict(0.9, 0.8, 0.7, 0.02))
        .containsExactly(
            "distilling helped: accuracy is 0.800 for distilled and 0.700 for baseline");
  }

  @Test
  void saysThatTwoStandardErrorsAreNoDifference() {
    assertThat(verdict(0.9, 0.72, 0.7, 0.011))
        .containsExactly(
            "these rows show no difference that exceeds two standard errors: accuracy is 0.720 for"
                + " distilled and 0.700 for baseline");
  }

  @Test
  void saysThatTeacherIsWorseThanBaseline() {
    assertThat(verdict(0.654, 0.571, 0.855, 0.01))
        .containsExactly(
            "distilling did not help: accuracy is 0.571 for distilled and 0.855 for baseline",
            "the teacher (0.654) is below the undistilled baseline (0.855): train the teacher"
                + " longer first");
  }

  @Test
  void doesNotCreditPoorTeacher() {
    assertThat(verdict(0.026, 0.736, 0.692, 0.011))
        .containsExactly(
            "the student is better than its baseline, although its teacher is worse: accuracy is"
                + " 0.736 for distilled and 0.692 for baseline",
            "the teacher (0.026) is below the undistilled baseline (0.692): train the teacher"
                + " longer first");
  }

  @Test
  void countsSeveralStudents() {
    List<Model> models =
        List.of(
            model("teacher", 0.9),
            model("a", 0.8),
            model("a-baseline", 0.7),
            model("b", 0.6),
            model("b-baseline", 0.7));

    assertThat(
            Verdict.of(
                models,
                List.of(
                    comparison("a", "a-baseline", 0.1, 0.01),
                    comparison("b", "b-baseline", -0.1, 0.01),
                    comparison("a", "b", 0.2, 0.01))))
        .containsExactly(
            "distilling helped 1 of 2 students and harmed 1 (differences in accuracy of more than"
                + " two standard errors)");
  }

  @Test
  void saysNothingWithoutLabels() {
    Model unlabelled = new Model("teacher", "", 1, 0, Map.of("agreement", 1.0), Map.of(), null);

    assertThat(Verdict.of(List.of(unlabelled), List.of())).isEmpty();
  }

  @Test
  void leavesOutModelsThatAreNotScored() {
    Model broken = new Model("teacher", "", 1, 3, Map.of(), Map.of(), null);

    assertThat(
            Verdict.of(
                List.of(broken, model("distilled", 0.7), model("baseline", 0.5)),
                List.of(comparison("distilled", "baseline", 0.2, 0.01))))
        .containsExactly(
            "distilling helped: accuracy is 0.700 for distilled and 0.500 for baseline");
  }

  private static List<String> verdict(
      double teacher, double distilled, double baseline, double error) {
    return Verdict.of(
        List.of(
            model("teacher", teacher), model("distilled", distilled), model("baseline", baseline)),
        List.of(comparison("distilled", "baseline", distilled - baseline, error)));
  }

  private static Model model(String name, double accuracy) {
    return new Model(
        name,
        "",
        1,
        0,
        Map.of("accuracy", accuracy, "agreement", 0.5),
        Map.of("accuracy", 0.01),
        null);
  }

  private static Comparison comparison(String model, String than, double by, double error) {
    return new Comparison(model, than, "accuracy", by, error, 100, null);
  }
}

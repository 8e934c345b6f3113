package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.evaluate.Evaluation.Comparison;
import io.stillhouse.jobs.evaluate.Evaluation.Model;
import io.stillhouse.recipe.Baseline;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Says in words whether distilling helped, by the first metric of the task. */
final class Verdict {
  private static final double STANDARD_ERRORS = 2;

  private static final String HELPED = "distilling helped";
  private static final String HARMED = "distilling did not help";

  private Verdict() {}

  /**
   * Returns sentences without a final period, or none if the rows have no labels or no student has
   * a baseline. Models without metrics, whose outputs are not finite, are left out.
   *
   * @param models the teacher first
   * @param comparisons as in {@link Evaluation}
   */
  static List<String> of(List<Model> models, List<Comparison> comparisons) {
    Optional<String> first =
        models.stream().flatMap(model -> model.standardErrors().keySet().stream()).findFirst();
    if (first.isEmpty()) {
      return List.of();
    }
    String metric = first.get();
    Map<String, Double> values =
        models.stream()
            .filter(model -> model.metrics().containsKey(metric))
            .collect(
                Collectors.toMap(
                    Model::name, model -> Objects.requireNonNull(model.metrics().get(metric))));
    List<Comparison> own =
        comparisons.stream()
            .filter(each -> each.metric().equals(metric) && each.seeds() == null)
            .filter(each -> each.reference().equals(Baseline.name(each.model())))
            .toList();
    if (own.isEmpty()) {
      return List.of();
    }
    double teacher = values.getOrDefault(models.get(0).name(), Double.POSITIVE_INFINITY);
    List<String> words = new ArrayList<>();
    words.add(own.size() == 1 ? one(own.get(0), values, teacher) : several(own, metric));
    own.stream()
        .map(each -> Objects.requireNonNull(values.get(each.reference())))
        .max(Comparator.naturalOrder())
        .filter(baseline -> baseline > teacher)
        .ifPresent(
            baseline ->
                words.add(
                    format(
                        "the teacher (%.3f) is below the undistilled baseline (%.3f): train the"
                            + " teacher longer first",
                        teacher, baseline)));
    return List.copyOf(words);
  }

  private static String one(Comparison of, Map<String, Double> values, double teacher) {
    boolean poor = teacher < Objects.requireNonNull(values.get(of.reference()));
    // Any soft labels regularize a student, so it can gain without having learned from the teacher.
    String outcome =
        poor && outcome(of).equals(HELPED)
            ? "the student is better than its baseline, although its teacher is worse"
            : outcome(of);
    return format(
        "%s: %s is %.3f for %s and %.3f for %s",
        outcome,
        of.metric(),
        values.get(of.model()),
        of.model(),
        values.get(of.reference()),
        of.reference());
  }

  private static String outcome(Comparison of) {
    double errors = of.rows() < 2 ? 0 : of.difference() / of.standardError();
    if (errors > STANDARD_ERRORS) {
      return HELPED;
    }
    return errors < -STANDARD_ERRORS
        ? HARMED
        : "these rows show no difference that exceeds two standard errors";
  }

  private static String several(List<Comparison> all, String metric) {
    Map<String, Long> counts =
        all.stream()
            .map(Verdict::outcome)
            .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
    return format(
        "distilling helped %d of %d students and harmed %d (differences in %s of more than two"
            + " standard errors)",
        counts.getOrDefault(HELPED, 0L), all.size(), counts.getOrDefault(HARMED, 0L), metric);
  }
}

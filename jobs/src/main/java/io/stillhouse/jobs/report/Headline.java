package io.stillhouse.jobs.report;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.spec.Metric;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Chooses the metric and the student that a report is about, and its headline numbers. */
final class Headline {
  private Headline() {}

  static Report.Summary of(List<ReportModel> models, @Nullable Evaluation evaluation) {
    String metric = metric(models, evaluation);
    Report.Summary chosen =
        new Report.Summary(List.of(), metric, "", "", List.of(), List.of(), List.of());
    Optional<ReportModel> best =
        models.stream()
            .filter(model -> model.role() == ReportModel.Role.STUDENT)
            .filter(model -> model.training() != null || Double.isFinite(model.metric(metric)))
            .max(
                Comparator.comparingDouble(
                    model -> goodness(model.metric(metric), chosen.largerIsBetter())));
    return new Report.Summary(
        verdict(models, evaluation),
        metric,
        rows(models, evaluation),
        best.map(ReportModel::name).orElse(""),
        best.map(model -> figures(model, models, metric)).orElse(List.of()),
        evaluation == null
            ? List.of()
            : evaluation.comparisons().stream().map(Headline::difference).toList(),
        evaluation == null ? List.of() : evaluation.groups());
  }

  private static String difference(Evaluation.Comparison of) {
    Evaluation.Seeds seeds = of.seeds();
    return format(
        "%s minus %s: %s %+.4f ± %.4f, paired over %,d rows%s",
        of.model(),
        of.reference(),
        of.metric(),
        of.difference(),
        of.standardError(),
        of.rows(),
        seeds == null
            ? ""
            : format("; ± %.4f over %d seeds", seeds.standardError(), seeds.count()));
  }

  private static double goodness(double metric, boolean largerIsBetter) {
    if (!Double.isFinite(metric)) {
      return Double.NEGATIVE_INFINITY;
    }
    return largerIsBetter ? metric : -metric;
  }

  private static String metric(List<ReportModel> models, @Nullable Evaluation evaluation) {
    if (evaluation != null) {
      Optional<String> first =
          evaluation.models().stream()
              .flatMap(model -> model.standardErrors().keySet().stream())
              .findFirst();
      if (first.isPresent()) {
        return first.get();
      }
    }
    List<String> wanted = new ArrayList<>(Arrays.stream(Metric.values()).map(Metric::id).toList());
    wanted.addAll(List.of("agreement", "perplexity", Curve.LOSS));
    return wanted.stream()
        .filter(name -> models.stream().anyMatch(model -> Double.isFinite(model.metric(name))))
        .findFirst()
        .orElse("");
  }

  private static List<String> verdict(List<ReportModel> models, @Nullable Evaluation evaluation) {
    if (evaluation != null && !evaluation.verdict().isEmpty()) {
      return evaluation.verdict();
    }
    boolean finished = models.stream().anyMatch(model -> model.training() != null);
    boolean baseline = models.stream().anyMatch(each -> each.role() == ReportModel.Role.BASELINE);
    if (evaluation != null) {
      return List.of(
          baseline
              ? "the rows have no labels, so students and baselines are compared with the teacher"
                  + " only"
              : "no student has a baseline, so the report cannot say whether distilling helped");
    }
    if (finished) {
      return List.of("the students are trained, but not evaluated yet: run evaluate");
    }
    return List.of(
        models.isEmpty()
            ? "no student has been trained yet"
            : "the training is not finished: run the same command again to resume it");
  }

  private static String rows(List<ReportModel> models, @Nullable Evaluation evaluation) {
    if (evaluation != null) {
      return evaluation.data().maskedTokens() > 0
          ? format(
              "%,d masked tokens of %,d rows",
              evaluation.data().maskedTokens(), evaluation.data().rows())
          : format("%,d rows", evaluation.data().rows());
    }
    return models.stream().anyMatch(model -> !model.quality().metrics().isEmpty())
        ? "the validation rows of the training"
        : "";
  }

  private static List<Report.Figure> figures(
      ReportModel best, List<ReportModel> models, String metric) {
    List<Report.Figure> figures = new ArrayList<>();
    Optional<ReportModel> teacher =
        models.stream().filter(model -> model.role() == ReportModel.Role.TEACHER).findFirst();
    if (Double.isFinite(best.metric(metric))) {
      figures.add(
          new Report.Figure(
              format("%.3f", best.metric(metric)),
              metric + " of " + best.name(),
              teacher
                  .map(each -> format("teacher %.3f", each.metric(metric)))
                  .orElse("on held-out rows")));
    }
    if (best.quality().retention() != null) {
      figures.add(
          new Report.Figure(
              format("%.1f %%", 100 * best.quality().retention().share()),
              "of the teacher's " + best.quality().retention().metric(),
              format("± %.1f", 100 * best.quality().retention().standardError())));
    }
    if (best.latency() != null) {
      figures.add(
          new Report.Figure(
              format("%.1f×", best.latency().timesTeacher()),
              "as fast as the teacher",
              format(
                  "%.2f ms for one sentence of %d tokens",
                  best.latency().p50(), best.latency().tokens())));
    }
    teacher
        .filter(each -> best.size().parameters() > 0)
        .ifPresent(
            each ->
                figures.add(
                    new Report.Figure(
                        format(
                            "%.0f %%", 100.0 * best.size().parameters() / each.size().parameters()),
                        "of the teacher's parameters",
                        format(
                            "%.1f of %.1f million",
                            best.size().parameters() / 1e6, each.size().parameters() / 1e6))));
    double agreement = best.metric("agreement");
    if (Double.isFinite(agreement)) {
      figures.add(
          new Report.Figure(format("%.1f %%", 100 * agreement), "agreement with the teacher", ""));
    }
    return figures;
  }
}

package io.stillhouse.jobs.report;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.chart.ChartText;
import io.stillhouse.jobs.chart.PointChart;
import io.stillhouse.jobs.evaluate.Evaluation;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/** What the models are worth: their metrics, sizes and speeds. */
final class QualitySection {
  /** Students of a table that is shown at once; the others are in one that readers can unfold. */
  private static final int MOST_SHOWN = 12;

  private static final String NONE = "–";

  private final Report report;
  private final String metric;

  QualitySection(Report report) {
    this.report = report;
    this.metric = report.summary().metric();
  }

  @Nullable Section section() {
    if (report.models().isEmpty()) {
      return null;
    }
    List<String> paragraphs = new ArrayList<>();
    if (!report.summary().rows().isEmpty()) {
      paragraphs.add(
          "Measured on "
              + report.summary().rows()
              + (report.models().stream().allMatch(m -> m.quality().standardErrors().isEmpty())
                  ? "."
                  : "; ± is one standard error over rows."));
    }
    report.models().stream()
        .map(ReportModel::latency)
        .filter(Objects::nonNull)
        .findFirst()
        .ifPresent(latency -> paragraphs.add(timing(latency)));
    report.summary().differences().stream()
        .limit(MOST_SHOWN)
        .forEach(each -> paragraphs.add(each + "."));
    List<ReportModel> order = new ArrayList<>(report.models());
    double sign = report.summary().largerIsBetter() ? -1 : 1;
    order.sort(
        Comparator.comparing((ReportModel model) -> model.role() != ReportModel.Role.TEACHER)
            .thenComparingDouble(
                model ->
                    Double.isFinite(model.metric(metric))
                        ? sign * model.metric(metric)
                        : Double.MAX_VALUE));
    List<Table> tables = new ArrayList<>();
    if (order.size() <= MOST_SHOWN) {
      tables.add(table("models", "Models", order).shown());
    } else {
      List<ReportModel> first = order.subList(0, MOST_SHOWN);
      tables.add(table("best", format("The best %d models", MOST_SHOWN), first).shown());
      tables.add(table("models", format("All %d models", order.size()), order).folded());
    }
    if (!report.summary().groups().isEmpty()) {
      tables.add(groups().shown());
    }
    return new Section("quality", "Quality, size and speed", paragraphs, charts(), tables);
  }

  private static String timing(ReportModel.Latency latency) {
    return format(
        "ms is the median time of one sentence of %d tokens, with the 95th percentile in"
            + " parentheses; per s is the number of sentences per second in batches of %d.",
        latency.tokens(), latency.batch());
  }

  private List<Section.Chart> charts() {
    List<Section.Chart> charts = new ArrayList<>();
    ToDoubleFunction<ReportModel> latency =
        model -> model.latency() == null ? Double.NaN : model.latency().p50();
    chart("size", "parameters", "size", model -> model.size().parameters(), charts);
    chart("latency", "ms per sentence", "latency", latency, charts);
    return charts;
  }

  private void chart(
      String id,
      String axis,
      String cost,
      ToDoubleFunction<ReportModel> x,
      List<Section.Chart> to) {
    List<ReportModel> known =
        report.models().stream()
            .filter(model -> x.applyAsDouble(model) > 0)
            .filter(model -> Double.isFinite(model.metric(metric)))
            .toList();
    if (known.size() < 2) {
      return;
    }
    double sign = report.summary().largerIsBetter() ? -1 : 1;
    List<ReportModel> front =
        ParetoFront.of(
            known.stream().filter(each -> each.role() != ReportModel.Role.TEACHER).toList(),
            x,
            model -> sign * model.metric(metric));
    List<PointChart.Point> points =
        known.stream()
            .map(
                model ->
                    new PointChart.Point(
                        model.name(),
                        role(model, front),
                        x.applyAsDouble(model),
                        model.metric(metric),
                        model.error(metric)))
            .toList();
    List<String> names = front.stream().map(ReportModel::name).limit(MOST_SHOWN).toList();
    String description =
        format(
            "%d models by %s and %s. No other student is better in both than %s.",
            points.size(), cost, metric, String.join(", ", names));
    to.add(
        new Section.Chart(
            PointChart.of(
                new ChartText(id, format("%s against %s", metric, cost), description, axis, metric),
                points),
            format(
                "%s against %s, with standard errors. Filled circles: students that no other one"
                    + " beats in both (Pareto front); squares: baselines; diamond: the teacher.",
                capitalized(metric), cost)));
  }

  private static String capitalized(String words) {
    return words.substring(0, 1).toUpperCase(Locale.ROOT) + words.substring(1);
  }

  private static PointChart.Role role(ReportModel model, List<ReportModel> front) {
    if (model.role() == ReportModel.Role.TEACHER) {
      return PointChart.Role.TEACHER;
    }
    if (model.role() == ReportModel.Role.BASELINE) {
      return PointChart.Role.BASELINE;
    }
    return front.contains(model) ? PointChart.Role.FRONT : PointChart.Role.OTHER;
  }

  private Table.Builder groups() {
    Set<String> metrics = new LinkedHashSet<>();
    report.summary().groups().forEach(group -> metrics.addAll(group.metrics().keySet()));
    Table.Builder table =
        new Table.Builder("groups", "Means over seeds; ± is one standard error over seeds")
            .column("students", Table.Kind.TEXT)
            .column("seeds", Table.Kind.NUMBER);
    metrics.forEach(name -> table.column(name, Table.Kind.NUMBER));
    for (Evaluation.Group group : report.summary().groups()) {
      List<String> row = new ArrayList<>(List.of(group.name(), format("%d", group.seeds())));
      metrics.forEach(
          name -> row.add(number(group.metrics().get(name), group.standardErrors().get(name))));
      table.row(row);
    }
    return table;
  }

  private Table.Builder table(String id, String caption, List<ReportModel> models) {
    Set<String> metrics = new LinkedHashSet<>();
    models.forEach(model -> metrics.addAll(model.quality().metrics().keySet()));
    boolean retained = models.stream().anyMatch(model -> model.quality().retention() != null);
    boolean timed = models.stream().anyMatch(model -> model.latency() != null);
    boolean sized = models.stream().anyMatch(model -> model.size().bytes() != null);
    boolean ended = models.stream().anyMatch(model -> !model.status().equals("trained"));
    Table.Builder table = new Table.Builder(id, caption).column("model", Table.Kind.TEXT);
    metrics.forEach(name -> table.column(name, Table.Kind.NUMBER));
    if (retained) {
      table.column("retention", Table.Kind.NUMBER);
    }
    table.column("parameters", Table.Kind.NUMBER);
    if (sized) {
      table.column("MB", Table.Kind.NUMBER);
    }
    if (timed) {
      table.column("ms (p95)", Table.Kind.NUMBER);
      table.column("per s", Table.Kind.NUMBER);
    }
    table.column("Pareto front", Table.Kind.TEXT);
    if (ended) {
      table.column("status", Table.Kind.TEXT);
    }
    for (ReportModel model : models) {
      List<String> row = new ArrayList<>(List.of(model.name()));
      metrics.forEach(
          name ->
              row.add(
                  number(
                      model.quality().metrics().get(name),
                      model.quality().standardErrors().get(name))));
      if (retained) {
        row.add(
            model.quality().retention() == null
                ? NONE
                : format(
                    "%.1f ± %.1f %%",
                    100 * model.quality().retention().share(),
                    100 * model.quality().retention().standardError()));
      }
      row.addAll(costs(model, sized, timed));
      row.add(model.quality().onFront() ? "yes" : "");
      if (ended) {
        row.add(model.status());
      }
      table.row(row);
    }
    return table;
  }

  private static List<String> costs(ReportModel model, boolean sized, boolean timed) {
    List<String> cells = new ArrayList<>();
    cells.add(model.size().parameters() > 0 ? format("%,d", model.size().parameters()) : NONE);
    if (sized) {
      cells.add(model.size().bytes() == null ? NONE : format("%.1f", model.size().bytes() / 1e6));
    }
    if (timed) {
      ReportModel.Latency latency = model.latency();
      cells.add(latency == null ? NONE : format("%.2f (%.2f)", latency.p50(), latency.p95()));
      cells.add(latency == null ? NONE : format("%,.1f", latency.sentencesPerSecond()));
    }
    return cells;
  }

  private static String number(@Nullable Double value, @Nullable Double error) {
    if (value == null || !Double.isFinite(value)) {
      return NONE;
    }
    return error == null || !Double.isFinite(error)
        ? format("%.4f", value)
        : format("%.4f ± %.4f", value, error);
  }
}

package io.stillhouse.jobs.report;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.chart.ChartText;
import io.stillhouse.jobs.chart.LineChart;
import io.stillhouse.jobs.chart.Numbers;
import io.stillhouse.jobs.chart.Series;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.recipe.Baseline;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** How the students were trained: the curves of their losses and of the optimizer. */
final class TrainingSection {
  private static final int TABLE_POINTS = 10;

  private static final Map<String, String> AXES =
      Map.of(
          Curve.LEARNING_RATE, "learning rate",
          Curve.GRADIENT_NORM, "gradient norm",
          Curve.SPEED, "tokens per second",
          Curve.WAITING, "share of time waiting");

  private static final Set<String> FROM_ZERO =
      Set.of(Curve.LEARNING_RATE, Curve.SPEED, Curve.WAITING);

  /** The styles of the highlighted lines: those of the best student and its baseline come first. */
  private static final int[] STYLES_IN_ORDER = {0, 2, 3, 4, 5, 6, 7};

  private final Report report;
  private final List<String> highlighted;

  TrainingSection(Report report) {
    this.report = report;
    this.highlighted = highlighted(report);
  }

  /** Returns the names of the students whose lines stand out: the best ones, as many as styles. */
  private static List<String> highlighted(Report report) {
    double sign = report.summary().largerIsBetter() ? -1 : 1;
    String metric = report.summary().metric();
    String best = report.summary().best();
    List<ReportModel> order = new ArrayList<>(report.models());
    order.sort(
        Comparator.comparing((ReportModel model) -> !model.name().equals(best))
            .thenComparing(model -> !model.name().equals(Baseline.name(best)))
            .thenComparingDouble(
                model ->
                    Double.isFinite(model.metric(metric))
                        ? sign * model.metric(metric)
                        : Double.MAX_VALUE));
    return order.stream()
        .map(ReportModel::name)
        .filter(name -> report.curves().stream().anyMatch(curve -> curve.student().equals(name)))
        .limit(STYLES_IN_ORDER.length)
        .toList();
  }

  @Nullable Section section() {
    if (report.curves().isEmpty()) {
      return null;
    }
    Set<String> names = new LinkedHashSet<>();
    names.add(Curve.LOSS);
    report.curves().forEach(curve -> names.addAll(curve.losses()));
    if (names.size() == 2) {
      names.remove(Curve.LOSS); // it is the only term, times its weight
    }
    List<Section.Chart> charts = new ArrayList<>();
    names.forEach(name -> chart(name, name.equals(Curve.LOSS) ? "loss" : name, charts));
    Curve.OTHERS.forEach(name -> chart(name, AXES.getOrDefault(name, name), charts));
    List<String> paragraphs = new ArrayList<>();
    paragraphs.add(
        "Terms of the loss are not weighted. Points are means of consecutive steps; throughput"
            + " counts tokens without padding.");
    if (report.curves().size() > highlighted.size()) {
      paragraphs.add(
          format(
              "The %d best of %d trainings are highlighted; the others are drawn faintly, and all"
                  + " are in the table.",
              highlighted.size(), report.curves().size()));
    }
    return new Section(
        "training", "Training", paragraphs, charts, List.of(trainings(), values(names)));
  }

  private void chart(String name, String axis, List<Section.Chart> to) {
    List<Series> series = new ArrayList<>();
    for (Curve curve : report.curves()) {
      double[] values = curve.values().get(name);
      if (values != null) {
        int place = highlighted.indexOf(curve.student());
        series.add(
            new Series(
                curve.student(),
                place < 0 ? Series.FAINT : STYLES_IN_ORDER[place],
                curve.tokensSeen(),
                values));
      }
    }
    if (series.isEmpty()) {
      return;
    }
    List<String> ends = new ArrayList<>();
    for (String student : highlighted) {
      report.curves().stream()
          .filter(curve -> curve.student().equals(student) && curve.values().containsKey(name))
          .forEach(
              curve -> ends.add(format("%s ends at %s", student, Numbers.brief(curve.last(name)))));
    }
    to.add(
        new Section.Chart(
            LineChart.of(
                new ChartText(
                    "curve-" + name,
                    axis + " against tokens seen",
                    String.join(", ", ends) + ".",
                    "tokens seen",
                    axis),
                FROM_ZERO.contains(name) ? LineChart.Base.ZERO : LineChart.Base.VALUES,
                series),
            ""));
  }

  private Table trainings() {
    Table.Builder table =
        new Table.Builder("trainings", "Trainings")
            .column("student", Table.Kind.TEXT)
            .column("steps", Table.Kind.NUMBER)
            .column("best step", Table.Kind.NUMBER)
            .column("tokens seen", Table.Kind.NUMBER)
            .column("seconds", Table.Kind.NUMBER)
            .column("tokens/s", Table.Kind.NUMBER)
            .column("waiting", Table.Kind.NUMBER)
            .column("threads", Table.Kind.NUMBER);
    for (Curve curve : report.curves()) {
      TrainedStudent training =
          report.models().stream()
              .filter(model -> model.name().equals(curve.student()))
              .map(ReportModel::training)
              .filter(each -> each != null)
              .findFirst()
              .orElse(null);
      double[] tokens = curve.tokensSeen();
      List<String> row = new ArrayList<>();
      row.add(curve.student());
      row.add(format("%,d", curve.step()[curve.step().length - 1]));
      row.add(
          training == null || training.training().chosen() == null
              ? "–"
              : format("%,d", training.training().chosen().step()));
      row.add(format("%,.0f", tokens[tokens.length - 1]));
      row.add(training == null ? "–" : format("%,.0f", training.speed().seconds()));
      row.add(format("%,.0f", training == null ? curve.last(Curve.SPEED) : speed(training)));
      row.add(
          format(
              "%.1f %%",
              100 * (training == null ? curve.last(Curve.WAITING) : training.speed().waitShare())));
      row.add(training == null ? "–" : format("%d", training.speed().threads()));
      table.row(row);
    }
    return report.curves().size() > STYLES_IN_ORDER.length ? table.folded() : table.shown();
  }

  private static double speed(TrainedStudent training) {
    return training.speed().tokensPerSecond();
  }

  private Table values(Set<String> names) {
    Table.Builder table =
        new Table.Builder("curves", "Values of the curves")
            .column("student", Table.Kind.TEXT)
            .column("step", Table.Kind.NUMBER)
            .column("tokens seen", Table.Kind.NUMBER);
    List<String> columns = new ArrayList<>(names);
    columns.addAll(Curve.OTHERS);
    columns.forEach(name -> table.column(AXES.getOrDefault(name, name), Table.Kind.NUMBER));
    for (Curve curve : report.curves()) {
      if (highlighted.contains(curve.student())) {
        int size = curve.step().length;
        int count = Math.min(TABLE_POINTS, size);
        for (int point = 0; point < count; point++) {
          int at = count == 1 ? 0 : point * (size - 1) / (count - 1);
          List<String> row = new ArrayList<>();
          row.add(curve.student());
          row.add(format("%,d", curve.step()[at]));
          row.add(format("%,.0f", curve.tokensSeen()[at]));
          for (String name : columns) {
            double[] values = curve.values().get(name);
            row.add(values == null || Double.isNaN(values[at]) ? "–" : Numbers.brief(values[at]));
          }
          table.row(row);
        }
      }
    }
    return table.folded();
  }
}

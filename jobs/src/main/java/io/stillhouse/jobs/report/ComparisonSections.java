package io.stillhouse.jobs.report;

import static io.stillhouse.error.Text.format;

import io.stillhouse.evaluate.Calibration;
import io.stillhouse.jobs.chart.ChartText;
import io.stillhouse.jobs.chart.HeatMap;
import io.stillhouse.jobs.chart.ReliabilityDiagram;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** How students differ from their teacher: layer by layer, in certainty, and text by text. */
final class ComparisonSections {
  private static final int TEACHER_STYLE = 1;

  private final ComparisonSummary compared;
  private final String on;

  ComparisonSections(ComparisonSummary compared) {
    this.compared = compared;
    this.on =
        format("%,d %s", compared.rows(), compared.heldOut() ? "held-out rows" : "training rows");
  }

  List<Section> sections() {
    List<Section> sections = new ArrayList<>();
    if (!compared.layers().isEmpty() || !compared.leftOut().isEmpty()) {
      sections.add(layers());
    }
    if (!compared.calibrations().isEmpty()) {
      sections.add(calibration());
    }
    if (!compared.texts().isEmpty()) {
      sections.add(texts());
    }
    return sections;
  }

  private Section layers() {
    List<Section.Chart> charts = new ArrayList<>();
    List<Table> tables = new ArrayList<>();
    int number = 0;
    for (Map.Entry<String, double[][]> model : compared.layers().entrySet()) {
      String name = model.getKey();
      double[][] cka = model.getValue();
      List<String> rows = names(cka.length);
      List<String> columns = cka[0].length == 1 ? List.of("last") : names(cka[0].length);
      ChartText text =
          new ChartText(
              "layers-" + number,
              "Similarity of the layers of the teacher and " + name,
              described(cka, rows, columns),
              "hidden state of " + name,
              "hidden state of the teacher");
      charts.add(
          new Section.Chart(
              HeatMap.of(text, rows, columns, cka),
              format("Teacher and %s; 0 is the embedding output.", name)));
      tables.add(table(number, name, rows, columns, cka));
      number++;
    }
    List<String> paragraphs = new ArrayList<>();
    paragraphs.add(
        format(
            "Linear centered kernel alignment (CKA) of mean-pooled hidden states on %s: 1 if two"
                + " layers represent the rows in the same way up to rotation and scale, near 0 if"
                + " they are unrelated.",
            on));
    compared.leftOut().forEach((name, reason) -> paragraphs.add(name + ": " + reason + "."));
    return new Section("layers", "Layer by layer", paragraphs, charts, tables);
  }

  private static List<String> names(int count) {
    return IntStream.range(0, count).mapToObj(String::valueOf).toList();
  }

  /** Says which layer of the teacher is closest to each of the student's. */
  private static String described(double[][] cka, List<String> rows, List<String> columns) {
    List<String> words = new ArrayList<>();
    for (int column = 0; column < columns.size(); column++) {
      int best = 0;
      for (int row = 1; row < rows.size(); row++) {
        boolean better = !(cka[row][column] <= cka[best][column]); // also if the best is NaN
        best = better && !Double.isNaN(cka[row][column]) ? row : best;
      }
      words.add(
          format(
              "state %s is closest to the teacher's %s (%.2f)",
              columns.get(column), rows.get(best), cka[best][column]));
    }
    return String.join("; ", words) + ".";
  }

  private static Table table(
      int number, String name, List<String> rows, List<String> columns, double[][] cka) {
    Table.Builder table =
        new Table.Builder("layers-table-" + number, "CKA of the teacher and " + name)
            .column("teacher's state", Table.Kind.NUMBER);
    columns.forEach(column -> table.column(name + " " + column, Table.Kind.NUMBER));
    for (int row = 0; row < rows.size(); row++) {
      List<String> cells = new ArrayList<>(List.of(rows.get(row)));
      for (double value : cka[row]) {
        cells.add(Double.isNaN(value) ? "–" : format("%.3f", value));
      }
      table.row(cells);
    }
    return table.folded();
  }

  private Section calibration() {
    List<ReliabilityDiagram.Model> models = new ArrayList<>();
    Table.Builder errors =
        new Table.Builder("calibration-errors", "Expected calibration error")
            .column("model", Table.Kind.TEXT)
            .column("expected error", Table.Kind.NUMBER)
            .column("mean probability", Table.Kind.NUMBER)
            .column("observed frequency", Table.Kind.NUMBER);
    List<String> words = new ArrayList<>();
    for (Map.Entry<String, Calibration> each : compared.calibrations().entrySet()) {
      String name = each.getKey();
      Calibration of = each.getValue();
      int style = name.equals("teacher") ? TEACHER_STYLE : name.equals(compared.student()) ? 0 : 2;
      models.add(new ReliabilityDiagram.Model(name, style, of));
      errors.row(
          List.of(
              name,
              format("%.4f", of.expectedError()),
              format("%.4f", of.meanProbability()),
              format("%.4f", of.rate())));
      words.add(format("%s has an expected calibration error of %.3f", name, of.expectedError()));
    }
    ChartText text =
        new ChartText(
            "reliability",
            "Reliability diagram",
            String.join("; ", words) + ".",
            "predicted probability",
            "observed frequency");
    return new Section(
        "calibration",
        "Calibration",
        List.of(
            format(
                "How often predictions are right, by their probability, on %s. On the diagonal, a"
                    + " model is calibrated; below it, it is overconfident.",
                on)),
        List.of(
            new Section.Chart(
                ReliabilityDiagram.of(text, models),
                "Bins of fewer than five predictions are left out.")),
        List.of(errors.shown(), bins()));
  }

  private Table bins() {
    Table.Builder bins =
        new Table.Builder("calibration-bins", "Predictions by probability")
            .column("model", Table.Kind.TEXT)
            .column("probability", Table.Kind.TEXT)
            .column("predictions", Table.Kind.NUMBER)
            .column("mean probability", Table.Kind.NUMBER)
            .column("observed frequency", Table.Kind.NUMBER);
    for (Map.Entry<String, Calibration> each : compared.calibrations().entrySet()) {
      for (Calibration.Bin bin : each.getValue().bins()) {
        if (bin.rows() > 0) {
          bins.row(
              List.of(
                  each.getKey(),
                  format("%.2f to %.2f", bin.from(), bin.to()),
                  format("%,d", bin.rows()),
                  format("%.3f", bin.meanProbability()),
                  format("%.3f", bin.rate())));
        }
      }
    }
    return bins.folded();
  }

  private Section texts() {
    boolean pairs = compared.texts().stream().anyMatch(each -> each.pair() != null);
    Table.Builder table =
        new Table.Builder("texts-table", "Texts, the largest difference first")
            .column("text", Table.Kind.LONG_TEXT);
    if (pairs) {
      table.column("second text", Table.Kind.LONG_TEXT);
    }
    table
        .column("label", Table.Kind.TEXT)
        .column("teacher", Table.Kind.TEXT)
        .column(compared.student(), Table.Kind.TEXT)
        .column("distance", Table.Kind.NUMBER);
    for (ComparisonSummary.Difference each : compared.texts()) {
      List<String> row = new ArrayList<>(List.of(each.text()));
      if (pairs) {
        row.add(each.pair() == null ? "" : each.pair());
      }
      row.add(each.label());
      row.add(each.teacher());
      row.add(each.studentPrediction());
      row.add(format("%.3f", each.distance()));
      table.row(row);
    }
    return new Section(
        "texts",
        "Where they differ most",
        List.of(
            format(
                "The texts of %s for which the outputs of %s are farthest from the teacher's."
                    + " Numbers in parentheses are probabilities.",
                on, compared.student())),
        List.of(),
        List.of(table.shown()));
  }
}

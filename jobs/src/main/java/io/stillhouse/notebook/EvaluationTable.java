package io.stillhouse.notebook;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonParseException;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.chart.ChartText;
import io.stillhouse.jobs.chart.PointChart;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.evaluate.Speed;
import io.stillhouse.jobs.storage.Completeness;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * What {@code evaluate} measured.
 *
 * @param metric the metric by which models are ranked: that of retention, or else agreement
 */
record EvaluationTable(Evaluation evaluation, String metric) {
  private static final String AGREEMENT = "agreement";

  /** Reads an {@code evaluation.json}. */
  static EvaluationTable read(Storage storage, String path) {
    try {
      String json = storage.readText(storage.requireFile("the evaluation", path));
      Evaluation evaluation = parse(json, path);
      String metric =
          evaluation.models().stream()
              .map(Evaluation.Model::retention)
              .filter(Objects::nonNull)
              .map(Evaluation.Retention::metric)
              .findFirst()
              .orElse(AGREEMENT);
      return new EvaluationTable(evaluation, metric);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Evaluation parse(String json, String path) {
    Evaluation evaluation = null;
    try {
      evaluation = Storage.JSON.fromJson(json, Evaluation.class);
    } catch (JsonParseException e) {
      // the message below names the file
    }
    if (evaluation == null || !Completeness.isComplete(evaluation)) {
      throw Errors.invalid(
          format("'%s' is not an evaluation", path), "name the evaluate.output of the run");
    }
    return evaluation;
  }

  Dataset<Row> frame(SparkSession spark) {
    WideTable table = new WideTable();
    for (Evaluation.Model model : evaluation.models()) {
      table.row().set("model", model.name()).set("parameters", model.parameters());
      table.set("bytes", evaluation.bytes().get(model.name()));
      model
          .metrics()
          .forEach(
              (name, value) -> {
                table.set(name, value);
                table.set(name + "_error", model.standardErrors().get(name));
              });
      table.set("metric", metric);
      table.set("quality", model.metrics().get(metric));
      table.set("quality_error", model.standardErrors().get(metric));
      table.set("retention", model.retention() == null ? null : model.retention().share());
      Speed.Pass single = single(model.name());
      table.set("milliseconds", single == null ? null : single.p50());
      table.set("times_teacher", single == null ? null : single.timesTeacher());
      table.set("on_front", isOnFront(model));
    }
    return table.frame(spark);
  }

  /** Returns the fastest measured pass of one sentence, or null if the model was not measured. */
  private Speed.@Nullable Pass single(String model) {
    return evaluation.speed().stream()
        .filter(speed -> speed.model().equals(model))
        .flatMap(speed -> speed.passes().stream())
        .filter(pass -> pass.batch() == 1)
        .min(Comparator.comparingDouble(Speed.Pass::p50))
        .orElse(null);
  }

  private boolean isOnFront(Evaluation.Model model) {
    Double own = model.metrics().get(metric);
    return own != null
        && Double.isFinite(own)
        && evaluation.models().stream().noneMatch(other -> beats(other, model, own));
  }

  /**
   * Returns whether a model is better than another without being larger, or as good and smaller.
   */
  private boolean beats(Evaluation.Model other, Evaluation.Model model, double quality) {
    Double better = other.metrics().get(metric);
    if (better == null || better < quality || other.parameters() > model.parameters()) {
      return false;
    }
    return better > quality || other.parameters() < model.parameters();
  }

  String picture() {
    List<PointChart.Point> points = new ArrayList<>();
    for (int n = 0; n < evaluation.models().size(); n++) {
      Evaluation.Model model = evaluation.models().get(n);
      Double value = model.metrics().get(metric);
      if (value != null && Double.isFinite(value)) {
        PointChart.Role role =
            n == 0
                ? PointChart.Role.TEACHER
                : isOnFront(model) ? PointChart.Role.FRONT : PointChart.Role.OTHER;
        Double error = model.standardErrors().get(metric);
        points.add(
            new PointChart.Point(
                model.name(), role, model.parameters(), value, error == null ? Double.NaN : error));
      }
    }
    if (points.isEmpty()) {
      return Pictures.none("The evaluation has no metrics of any model.");
    }
    ChartText text =
        Pictures.text(
            format("Size and %s", metric),
            "Up and to the left is better; bars are standard errors.",
            "parameters",
            metric);
    return Pictures.chart(text, PointChart.of(text, points));
  }
}

package io.stillhouse.notebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.train.sweep.SweepJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class StudentsTest {
  private static final int ROWS = 60;

  @TempDir private static Path run;
  private static SweepJob.Result sweep;
  private static Evaluation evaluation;
  private static Path measured;
  private static Students students;
  private static Comparison comparison;

  @BeforeAll
  static void sweepsOnce() throws IOException {
    Path corpus = Tiny.labelled(run.resolve("rows.tsv"), ROWS, "LABEL_2", "LABEL_0");
    measured = run.resolve("evaluation.json");
    TinyRecipe recipe =
        TinyRecipe.labelled(corpus)
            .cache(run.resolve("cache"))
            .tinyBertTargets()
            .student(run.resolve("students"))
            .with(
                "loss.hidden-mse.weight=0",
                "train.validation=" + run.resolve("cache"),
                "evaluate.output=" + measured,
                "evaluate.speed=false");
    Settings settings =
        recipe
            .with("sweep.over.train.learning-rate=[1e-3, 3e-3]", "sweep.over.student.layers=[1, 3]")
            .settings();
    new CacheJob(Tiny.spark(), settings).run();
    sweep = new SweepJob(Tiny.spark(), settings).run();
    evaluation = new EvaluateJob(Tiny.spark(), recipe.settings()).run();
    students = Students.open(Tiny.spark(), run.toString());
    Tiny.copy(Tiny.CLS, run.resolve("students/same"));
    comparison =
        Students.open(Tiny.spark(), run.resolve("students").toString())
            .compare(run.resolve("cache").toString(), ROWS);
  }

  @Test
  void tableHasStudentsOfSweepWithTheirSettings() {
    Map<String, Row> rows = by("student", students.table().collectAsList());
    assertThat(rows.keySet())
        .containsExactlyInAnyOrderElementsOf(
            sweep.students().stream().map(SweepJob.Row::name).toList());
    for (SweepJob.Row student : sweep.students()) {
      Row row = rows.get(student.name());
      assertThat(row.<String>getAs("status")).isEqualTo("trained");
      assertThat(row.<Double>getAs("layers"))
          .isEqualTo(Double.valueOf(student.values().get("student.layers")));
      assertThat(row.<Double>getAs("learning_rate"))
          .isEqualTo(Double.valueOf(student.values().get("train.learning-rate")));
      assertThat(row.<Long>getAs("parameters")).isEqualTo(student.training().parameters());
      assertThat(row.<Long>getAs("bytes")).isGreaterThan(4 * row.<Long>getAs("parameters"));
      assertThat(row.<Double>getAs("validation_agreement"))
          .isEqualTo(student.training().losses().validation().get("agreement"));
      assertThat(row.<Double>getAs("train_soft_label"))
          .isEqualTo(student.training().losses().last().get("soft-label"));
    }
  }

  @Test
  void curvesEndAtLastStepWithAllTokens() throws IOException {
    String name = sweep.students().get(0).name();
    List<String> lines = Files.readAllLines(run.resolve("students/" + name + "/metrics.jsonl"));
    long tokens = 0;
    for (String line : lines) {
      tokens += Long.parseLong(line.replaceAll(".*\"tokens\":(\\d+).*", "$1"));
    }
    Row last =
        students
            .curves()
            .where(functions.col("student").equalTo(name))
            .where("measure = 'soft-label'")
            .orderBy(functions.desc("step"))
            .first();
    assertThat(last.<Long>getAs("step")).isEqualTo(lines.size());
    assertThat(last.<Long>getAs("tokens")).isEqualTo(tokens);
    assertThat(last.<Double>getAs("value")).isPositive();
  }

  @Test
  void modelWithoutFiniteMetricIsNotOnFront() throws IOException {
    JsonObject json = JsonParser.parseString(Files.readString(measured)).getAsJsonObject();
    JsonArray models = json.getAsJsonArray("models");
    JsonObject last = models.get(models.size() - 1).getAsJsonObject();
    last.getAsJsonObject("metrics").addProperty("accuracy", Double.NaN);
    last.addProperty("parameters", 1);
    String path = Files.writeString(run.resolve("not-finite.json"), json.toString()).toString();
    Row row =
        by("model", students.evaluation(path).collectAsList()).get(last.get("name").getAsString());
    assertThat(row.<Boolean>getAs("on_front")).isFalse();
    assertThat(students.sizeAndQuality(path)).contains("<svg").doesNotContain("NaN");
  }

  @Test
  void evaluationMarksFrontOfSizeAndQuality() {
    Map<String, Row> rows = by("model", students.evaluation(measured.toString()).collectAsList());
    for (Evaluation.Model model : evaluation.models()) {
      Row row = rows.get(model.name());
      assertThat(row.<Double>getAs("accuracy")).isEqualTo(model.metrics().get("accuracy"));
      assertThat(row.<Double>getAs("accuracy_error"))
          .isEqualTo(model.standardErrors().get("accuracy"));
      boolean beaten =
          evaluation.models().stream()
              .anyMatch(
                  other ->
                      other.parameters() <= model.parameters()
                          && other.metrics().get("accuracy") >= model.metrics().get("accuracy")
                          && (other.parameters() < model.parameters()
                              || other.metrics().get("accuracy")
                                  > model.metrics().get("accuracy")));
      assertThat(row.<Boolean>getAs("on_front")).as(model.name()).isEqualTo(!beaten);
    }
    assertThat(students.sizeAndQuality(measured.toString())).contains("teacher", "<svg", "<style>");
  }

  @Test
  void equalStudentHasEqualLayersAndPredictions() {
    List<Row> diagonal =
        comparison.layers().where("model = 'same' AND teacher_layer = layer").collectAsList();
    assertThat(diagonal).hasSize(Tiny.LAYERS + 1);
    assertThat(diagonal).allSatisfy(row -> assertThat(row.getDouble(3)).isCloseTo(1, within(1e-6)));
    Row same = by("model", comparison.models().collectAsList()).get("same");
    assertThat(same.<Double>getAs("agreement")).isEqualTo(1);
    assertThat(
            comparison.texts().where("student = 'same'").agg(functions.max("difference")).first())
        .isEqualTo(RowFactory.create(0.0));
    assertThat(comparison.layerMap("same")).contains("layer of the teacher", ">1.00<");
  }

  @Test
  void modelsAgreeWithTheirTexts() {
    for (Row model : comparison.models().where("model <> 'teacher'").collectAsList()) {
      Row texts =
          comparison
              .texts()
              .where(functions.col("student").equalTo(model.<String>getAs("model")))
              .agg(
                  functions.expr("avg(if(teacher_predicts = student_predicts, 1, 0))"),
                  functions.expr("avg(if(class_name = student_predicts, 1, 0))"),
                  functions.count("*"))
              .first();
      assertThat(model.<Double>getAs("agreement")).isCloseTo(texts.getDouble(0), within(1e-12));
      assertThat(model.<Double>getAs("accuracy")).isCloseTo(texts.getDouble(1), within(1e-12));
      assertThat(texts.getLong(2)).isEqualTo(ROWS);
    }
  }

  @Test
  void calibrationAndConfusionCountAllRows() {
    for (Row counts :
        comparison.calibration().groupBy("model").agg(functions.sum("rows")).collectAsList()) {
      assertThat(counts.getLong(1)).isEqualTo(ROWS);
    }
    for (Row counts :
        comparison.confusion().groupBy("model").agg(functions.sum("rows")).collectAsList()) {
      assertThat(counts.getLong(1)).isEqualTo(ROWS);
    }
    assertThat(comparison.reliability()).contains("teacher", "same", "predicted probability");
    assertThat(comparison.confusionMap("same")).contains("LABEL_0", "predicted by same");
    assertThat(comparison.agreementMap("same")).contains("predicted by teacher");
  }

  @Test
  void reportsMistakes() {
    assertThatThrownBy(() -> Students.open(Tiny.spark(), run.resolve("cache").toString()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("is a cache, which has no students; name a train.path");
    assertThatThrownBy(() -> Students.open(Tiny.spark(), run.resolve("cache/hidden").toString()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has no students: no directory in it has a config.json");
    assertThatThrownBy(() -> comparison.layerMap("nobody"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the model must be one of [teacher, ")
        .hasMessageContaining("but is 'nobody'");
    assertThatThrownBy(() -> students.directory("nobody"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the student must be one of [");
    assertThatThrownBy(() -> students.evaluation(run.resolve("nothing.json").toString()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the evaluation does not exist");
    String student = run.resolve("students/same/config.json").toString();
    assertThatThrownBy(() -> students.evaluation(student))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("'" + student + "' is not an evaluation; name the evaluate.output of the run");
    assertThatThrownBy(() -> students.compare(run.resolve("cache").toString(), 0))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("the number of rows must be >= 1, but is '0'");
  }

  private static Map<String, Row> by(String column, List<Row> rows) {
    return rows.stream().collect(Collectors.toMap(row -> row.getAs(column), row -> row));
  }
}

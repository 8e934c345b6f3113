package io.stillhouse.notebook;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.evaluate.Calibration;
import io.stillhouse.jobs.chart.ChartText;
import io.stillhouse.jobs.chart.HeatMap;
import io.stillhouse.jobs.chart.Matrix;
import io.stillhouse.jobs.chart.ReliabilityDiagram;
import io.stillhouse.jobs.chart.Series;
import io.stillhouse.jobs.evaluate.StudentComparison;
import io.stillhouse.jobs.evaluate.StudentComparison.Model;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LabelSet;
import io.stillhouse.spec.Task;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * The teacher of a cache and some students, compared on rows of the cache, as DataFrames and
 * pictures. {@link Students#compare} runs the models once, on the driver; everything here reads
 * their outputs.
 */
public final class Comparison {
  private final SparkSession spark;
  private final StudentComparison compared;

  Comparison(SparkSession spark, StudentComparison compared) {
    this.spark = spark;
    this.compared = compared;
  }

  /**
   * Returns one row for each model, the teacher first: {@code model}, {@code rows}, {@code
   * agreement} (share of rows for which it predicts the teacher's class), {@code accuracy} and
   * {@code calibration_error} on rows with labels. Numbers are null where they are not defined.
   */
  public Dataset<Row> models() {
    List<Row> rows = new ArrayList<>();
    for (Model model : all()) {
      long[][] confusion = compared.confusion(model);
      rows.add(
          RowFactory.create(
              model.name(),
              compared.rows().size(),
              diagonalShare(compared.agreement(model)),
              diagonalShare(confusion),
              compared.calibration(model).map(Calibration::expectedError).orElse(null)));
    }
    return frame(
        rows,
        new StructType()
            .add("model", DataTypes.StringType, false)
            .add("rows", DataTypes.IntegerType, false)
            .add("agreement", DataTypes.DoubleType, true)
            .add("accuracy", DataTypes.DoubleType, true)
            .add("calibration_error", DataTypes.DoubleType, true));
  }

  private static @Nullable Double diagonalShare(long[][] counts) {
    long all = 0;
    long equal = 0;
    for (int row = 0; row < counts.length; row++) {
      for (int column = 0; column < counts.length; column++) {
        all += counts[row][column];
        equal += row == column ? counts[row][column] : 0;
      }
    }
    return all == 0 ? null : (double) equal / all;
  }

  /** Returns the students that could not be compared: {@code student}, {@code reason}. */
  public Dataset<Row> leftOut() {
    List<Row> rows = new ArrayList<>();
    compared.leftOut().forEach((name, reason) -> rows.add(RowFactory.create(name, reason)));
    return frame(
        rows,
        new StructType()
            .add("student", DataTypes.StringType, false)
            .add("reason", DataTypes.StringType, false));
  }

  /**
   * Returns a row for each student and text, the largest difference first: {@code student}, {@code
   * id}, {@code text}, {@code pair}, {@code class_name} (the label, or null), {@code
   * teacher_predicts}, {@code student_predicts}, {@code teacher_probability} and {@code
   * student_probability} of these predictions, {@code difference} in [0, 1]: the total variation
   * distance of the two distributions, or the mean difference of the probabilities of labels. For a
   * regression, predictions are scores as text and the difference is that of the scores.
   */
  public Dataset<Row> texts() {
    List<Row> rows = new ArrayList<>();
    for (Model student : compared.students()) {
      for (StudentComparison.Difference each :
          compared.mostDifferent(student, compared.rows().size())) {
        rows.add(text(student.name(), each));
      }
    }
    return frame(
            rows,
            new StructType()
                .add("student", DataTypes.StringType, false)
                .add("id", DataTypes.StringType, false)
                .add("text", DataTypes.StringType, false)
                .add("pair", DataTypes.StringType, true)
                .add("class_name", DataTypes.StringType, true)
                .add("teacher_predicts", DataTypes.StringType, false)
                .add("student_predicts", DataTypes.StringType, false)
                .add("teacher_probability", DataTypes.DoubleType, true)
                .add("student_probability", DataTypes.DoubleType, true)
                .add("difference", DataTypes.DoubleType, false))
        .orderBy(functions.desc("difference"), functions.col("id"));
  }

  private Row text(String student, StudentComparison.Difference each) {
    double label = each.row().label();
    Prediction teacher = Prediction.of(compared.head(), each.teacher());
    Prediction predicted = Prediction.of(compared.head(), each.student());
    return RowFactory.create(
        student,
        each.row().id(),
        each.row().text(),
        each.row().pair(),
        DecodedRow.className(compared.head(), Double.isNaN(label) ? null : label),
        teacher.name(),
        predicted.name(),
        teacher.probability(),
        predicted.probability(),
        each.distance());
  }

  /**
   * What a model predicts for a row.
   *
   * @param probability its probability; null for a score
   */
  private record Prediction(String name, @Nullable Double probability) {
    static Prediction of(Head head, double[] outputs) {
      if (head.task() == Task.MULTI_LABEL) {
        double set = 0;
        double probability = 1;
        for (int label = 0; label < outputs.length; label++) {
          set = outputs[label] > 0.5 ? LabelSet.with(set, label) : set;
          probability *= Math.max(outputs[label], 1 - outputs[label]);
        }
        return new Prediction(String.valueOf(DecodedRow.className(head, set)), probability);
      }
      if (head.labels().isEmpty()) {
        return new Prediction(format("%.3f", outputs[0]), null);
      }
      int best = 0;
      for (int c = 1; c < outputs.length; c++) {
        best = outputs[c] > outputs[best] ? c : best;
      }
      return new Prediction(head.labels().get(best), outputs[best]);
    }
  }

  /**
   * Returns how probabilities and reality match, for each model and bin of probabilities that has
   * rows: {@code model}, {@code probability} (the mean of the bin), {@code rate} (share that came
   * true), {@code rows}. Empty without labels or classes.
   */
  public Dataset<Row> calibration() {
    List<Row> rows = new ArrayList<>();
    for (Model model : all()) {
      compared
          .calibration(model)
          .ifPresent(
              calibration ->
                  calibration.bins().stream()
                      .filter(bin -> bin.rows() > 0)
                      .forEach(
                          bin ->
                              rows.add(
                                  RowFactory.create(
                                      model.name(),
                                      bin.meanProbability(),
                                      bin.rate(),
                                      bin.rows()))));
    }
    return frame(
        rows,
        new StructType()
            .add("model", DataTypes.StringType, false)
            .add("probability", DataTypes.DoubleType, false)
            .add("rate", DataTypes.DoubleType, false)
            .add("rows", DataTypes.IntegerType, false));
  }

  /**
   * Returns which classes models confuse: {@code model}, {@code class_name} (the label), {@code
   * predicted}, {@code rows}. Empty without labels or classes.
   */
  public Dataset<Row> confusion() {
    List<Row> rows = new ArrayList<>();
    List<String> names = compared.head().labels();
    for (Model model : all()) {
      long[][] counts = compared.confusion(model);
      for (int label = 0; label < counts.length; label++) {
        for (int predicted = 0; predicted < counts.length; predicted++) {
          rows.add(
              RowFactory.create(
                  model.name(), names.get(label), names.get(predicted), counts[label][predicted]));
        }
      }
    }
    return frame(
        rows,
        new StructType()
            .add("model", DataTypes.StringType, false)
            .add("class_name", DataTypes.StringType, false)
            .add("predicted", DataTypes.StringType, false)
            .add("rows", DataTypes.LongType, false));
  }

  /**
   * Returns how similar the layers of the teacher and of each model are, the teacher itself
   * included: {@code model}, {@code teacher_layer}, {@code layer}, {@code similarity}, linear CKA.
   * Layer 0 is the embedding output. The similarity is null for layers that hardly differ between
   * rows.
   */
  public Dataset<Row> layers() {
    List<Row> rows = new ArrayList<>();
    for (Model model : all()) {
      double[][] cka = model.cka();
      for (int own = 0; own < cka.length; own++) {
        for (int layer = 0; layer < cka[own].length; layer++) {
          double similarity = cka[own][layer];
          rows.add(
              RowFactory.create(
                  model.name(), own, layer, Double.isNaN(similarity) ? null : similarity));
        }
      }
    }
    return frame(
        rows,
        new StructType()
            .add("model", DataTypes.StringType, false)
            .add("teacher_layer", DataTypes.IntegerType, false)
            .add("layer", DataTypes.IntegerType, false)
            .add("similarity", DataTypes.DoubleType, true));
  }

  /**
   * Returns the similarity of a model's layers to the teacher's as a picture (HTML), or says that
   * there are too few rows.
   *
   * @param name name of a student, or {@code teacher}
   * @throws io.stillhouse.error.StillhouseException if there is no such model
   */
  public String layerMap(String name) {
    Model model = model(name);
    double[][] cka = model.cka();
    if (cka.length == 0) {
      return Pictures.none(
          format("%d rows are too few to compare layers.", compared.rows().size()));
    }
    String title =
        name.equals(compared.teacher().name())
            ? "Similarity of the teacher's layers to each other"
            : format("Similarity of the layers of '%s' to those of its teacher", name);
    ChartText text =
        Pictures.text(
            title,
            "Linear CKA of the hidden states: 1 if they are equal up to rotation and scale.",
            "layer of " + name,
            "layer of the teacher");
    List<String> rows = Pictures.numbers(0, cka.length - 1);
    List<String> columns = Pictures.numbers(0, cka[0].length - 1);
    return Pictures.chart(text, HeatMap.of(text, rows, columns, cka));
  }

  /**
   * Returns the reliability diagram of all models as a picture (HTML), or says that the rows have
   * no labels or no classes.
   */
  public String reliability() {
    List<ReliabilityDiagram.Model> models = new ArrayList<>();
    for (Model model : all()) {
      compared
          .calibration(model)
          .ifPresent(
              calibration ->
                  models.add(
                      new ReliabilityDiagram.Model(
                          model.name(), models.size() % Series.STYLES, calibration)));
    }
    if (models.isEmpty()) {
      return Pictures.none("There are no labels to compare probabilities with.");
    }
    ChartText text =
        Pictures.text(
            "Calibration",
            "A model is calibrated if its line is the diagonal; below it, it is overconfident.",
            "predicted probability",
            "observed frequency");
    return Pictures.chart(text, ReliabilityDiagram.of(text, models));
  }

  /**
   * Returns the confusion matrix of a model as a picture (HTML), or says that the rows have no
   * labels or no classes.
   *
   * @param name name of a student, or {@code teacher}
   * @throws io.stillhouse.error.StillhouseException if there is no such model
   */
  public String confusionMap(String name) {
    long[][] counts = compared.confusion(model(name));
    if (counts.length == 0) {
      return Pictures.none("There are no labels to compare predictions with.");
    }
    return matrix(
        format("Predictions of '%s' by label", name), "label", "predicted by " + name, counts);
  }

  /**
   * Returns which classes a student predicts where the teacher predicts which, as a picture (HTML),
   * or says that it has no classes.
   *
   * @throws io.stillhouse.error.StillhouseException if there is no such student
   */
  public String agreementMap(String student) {
    long[][] counts = compared.agreement(model(student));
    if (counts.length == 0) {
      return Pictures.none(format("'%s' predicts no classes.", student));
    }
    return matrix(
        format("Predictions of '%s' by those of its teacher", student),
        "predicted by teacher",
        "predicted by " + student,
        counts);
  }

  /** Draws the counts of the classes that occur. */
  private String matrix(String title, String rows, String columns, long[][] counts) {
    int[] classes =
        IntStream.range(0, counts.length)
            .filter(
                c ->
                    IntStream.range(0, counts.length)
                        .anyMatch(o -> counts[c][o] + counts[o][c] > 0))
            .toArray();
    double[][] values = new double[classes.length][classes.length];
    for (int row = 0; row < classes.length; row++) {
      for (int column = 0; column < classes.length; column++) {
        values[row][column] = counts[classes[row]][classes[column]];
      }
    }
    List<String> names = Arrays.stream(classes).mapToObj(compared.head().labels()::get).toList();
    ChartText text =
        Pictures.text(
            title,
            "Numbers of rows; those on the diagonal agree. Classes without rows are left out.",
            columns,
            rows);
    Matrix matrix = new Matrix(text, names, names, values, Matrix.Shades.upTo(values, 0, "rows"));
    return Pictures.plain(matrix.svg());
  }

  private List<Model> all() {
    return Stream.concat(Stream.of(compared.teacher()), compared.students().stream()).toList();
  }

  private Model model(String name) {
    return all().stream()
        .filter(model -> model.name().equals(name))
        .findFirst()
        .orElseThrow(
            () -> {
              String reason = compared.leftOut().get(name);
              return reason == null
                  ? Errors.badValue(
                      "the model", "one of " + all().stream().map(Model::name).toList(), name)
                  : Errors.invalid(
                      format("'%s' was left out: %s", name, reason), "name another student");
            });
  }

  private Dataset<Row> frame(List<Row> rows, StructType schema) {
    return spark.createDataFrame(rows, schema);
  }
}

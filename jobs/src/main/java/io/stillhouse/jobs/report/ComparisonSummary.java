package io.stillhouse.jobs.report;

import io.stillhouse.evaluate.Calibration;
import io.stillhouse.jobs.evaluate.Answers;
import io.stillhouse.jobs.evaluate.StudentComparison;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The teacher and some students on the same rows.
 *
 * @param rows number of rows
 * @param heldOut whether the students were not trained on them
 * @param layers the similarity of the teacher's layers to those of each student, by name
 * @param calibrations the calibration of the teacher and each student, by name
 * @param student the student that the texts are about
 * @param texts the texts for which that student differs most from its teacher
 * @param leftOut the students that could not be compared, with the reason
 */
record ComparisonSummary(
    int rows,
    boolean heldOut,
    Map<String, double[][]> layers,
    Map<String, Calibration> calibrations,
    String student,
    List<Difference> texts,
    Map<String, String> leftOut) {

  /**
   * A text.
   *
   * @param distance how far the two models are apart: for classes, the total variation distance
   * @param label the true class, labels or score; "" if there is none
   * @param teacher the teacher's prediction
   * @param studentPrediction the student's prediction
   */
  record Difference(
      String text,
      @Nullable String pair,
      double distance,
      String label,
      String teacher,
      String studentPrediction) {}

  /**
   * Summarizes a comparison.
   *
   * @param student the student that the texts are about
   * @param texts the number of texts
   */
  static ComparisonSummary of(StudentComparison compared, Rows heldOut, String student, int texts) {
    Map<String, double[][]> layers = new LinkedHashMap<>();
    Map<String, Calibration> calibrations = new LinkedHashMap<>();
    compared
        .calibration(compared.teacher())
        .ifPresent(calibration -> calibrations.put(compared.teacher().name(), calibration));
    for (StudentComparison.Model model : compared.students()) {
      if (model.cka().length > 0) {
        layers.put(model.name(), model.cka());
      }
      compared
          .calibration(model)
          .ifPresent(calibration -> calibrations.put(model.name(), calibration));
    }
    List<Difference> differences = new ArrayList<>();
    Optional<StudentComparison.Model> own =
        compared.students().stream().filter(model -> model.name().equals(student)).findFirst();
    own.ifPresent(
        model ->
            compared
                .mostDifferent(model, texts)
                .forEach(each -> differences.add(difference(compared, each))));
    return new ComparisonSummary(
        compared.rows().size(),
        heldOut == Rows.HELD_OUT,
        layers,
        calibrations,
        student,
        differences,
        compared.leftOut());
  }

  /** The rows that models are compared on. */
  enum Rows {
    HELD_OUT,
    TRAINING
  }

  private static Difference difference(
      StudentComparison compared, StudentComparison.Difference each) {
    return new Difference(
        each.row().text(),
        each.row().pair(),
        each.distance(),
        Answers.label(compared.head(), each.row().label()),
        Answers.prediction(compared.head(), each.teacher()),
        Answers.prediction(compared.head(), each.student()));
  }
}

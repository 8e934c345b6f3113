package io.stillhouse.jobs.report;

import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.train.student.TrainedStudent;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A model of the run.
 *
 * @param role what it is
 * @param status {@code trained}, {@code in progress}, or how it ended in a sweep
 * @param size parameters and bytes
 * @param quality its metrics
 * @param latency its speed; null if it was not measured
 * @param training how it was trained; null for the teacher and before it is finished
 */
record ReportModel(
    String name,
    Role role,
    String status,
    Size size,
    Quality quality,
    @Nullable Latency latency,
    @Nullable TrainedStudent training) {

  enum Role {
    TEACHER,
    STUDENT,
    BASELINE
  }

  /**
   * The size of a model.
   *
   * @param parameters number of parameters; 0 if it is not known
   * @param bytes bytes of its files of weights; null if they were not measured
   */
  record Size(long parameters, @Nullable Long bytes) {}

  /**
   * The metrics of a model.
   *
   * @param metrics by name; those of the evaluation or, if there is none, those on the validation
   *     rows of the training
   * @param standardErrors standard errors over rows
   * @param retention its share of the teacher's metric; null for the teacher, and if it was not
   *     measured
   * @param onFront whether no other student is as small and better, or as good and smaller
   */
  record Quality(
      Map<String, Double> metrics,
      Map<String, Double> standardErrors,
      Evaluation.@Nullable Retention retention,
      boolean onFront) {

    Quality withFront(Front front) {
      return new Quality(metrics, standardErrors, retention, front == Front.ON);
    }
  }

  /** Whether a model is on the Pareto front. */
  enum Front {
    ON,
    OFF
  }

  /**
   * The speed of a model on one CPU thread or a GPU.
   *
   * @param tokens tokens per sentence
   * @param p50 median time of one sentence, in milliseconds
   * @param p95 the time that 95 % of the sentences do not exceed, in milliseconds
   * @param batch sentences per batch of {@code sentencesPerSecond}
   * @param timesTeacher latency of the teacher divided by this one's
   */
  record Latency(
      int tokens,
      double p50,
      double p95,
      int batch,
      double sentencesPerSecond,
      double timesTeacher) {}

  /** Returns a metric, or NaN if it was not measured. */
  double metric(String name) {
    Double value = quality.metrics().get(name);
    return value == null ? Double.NaN : value;
  }

  /** Returns the standard error of a metric, or NaN if it is not known. */
  double error(String name) {
    Double value = quality.standardErrors().get(name);
    return value == null ? Double.NaN : value;
  }

  ReportModel withFront(Front front) {
    return new ReportModel(name, role, status, size, quality.withFront(front), latency, training);
  }
}

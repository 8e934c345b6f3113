package io.stillhouse.jobs.report;

import io.stillhouse.jobs.evaluate.Evaluation;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The numbers of a report, as {@code report.json}.
 *
 * @param summary the result in a few words and numbers
 * @param models the teacher, if it was evaluated, and the students
 * @param curves the trainings, in the order of the students
 * @param caches the caches of the training rows and of the held-out rows
 * @param comparison what running the models shows; null if they were not run
 * @param origin where the run comes from
 * @param faults what went wrong and was repaired or repeated, one sentence each
 */
record Report(
    Summary summary,
    List<ReportModel> models,
    List<Curve> curves,
    List<CacheContents> caches,
    @Nullable ComparisonSummary comparison,
    Origin origin,
    List<String> faults) {

  /**
   * The result.
   *
   * @param verdict whether distilling helped, one sentence each
   * @param metric the metric by which models are compared; "" if there is none
   * @param rows what the metrics were measured on, in words
   * @param best the student that the other parts of the report are about; "" if there is none
   * @param figures the headline numbers
   * @param differences the differences between students and their baselines, one sentence each
   * @param groups the means over students that differ only in their seed
   */
  record Summary(
      List<String> verdict,
      String metric,
      String rows,
      String best,
      List<Figure> figures,
      List<String> differences,
      List<Evaluation.Group> groups) {

    /** Returns whether larger values of the metric are better. */
    boolean largerIsBetter() {
      return !metric.equals(Curve.LOSS) && !metric.equals("perplexity");
    }
  }

  /** A headline number, what it is, and what it is compared with. */
  record Figure(String value, String label, String note) {}
}

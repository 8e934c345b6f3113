package io.stillhouse.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.evaluate.Calibration;
import io.stillhouse.jobs.evaluate.StudentComparison;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Pages about comparisons of models of each task, and about texts that look like HTML. */
class ReportTasksTest {
  private static final double[][] NONE = new double[0][0];

  @Test
  void escapesTextsAndClassNames() {
    Head head = new Head(Task.CLASSIFICATION, List.of("<b>bold</b>", "\"plain\" & 'x'"));
    String page =
        page(
            head,
            row("<script>alert(1)</script>", 0),
            new double[] {0.9, 0.1},
            new double[] {0.2, 0.8});
    assertThat(page)
        .contains("&lt;script&gt;alert(1)&lt;/script&gt;")
        .contains("&lt;b&gt;bold&lt;/b&gt; (0.90)")
        .contains("&quot;plain&quot; &amp; &#39;x&#39; (0.80)")
        .doesNotContain("<script", "<b>");
  }

  @Test
  void replacesCharactersThatHtmlForbids() {
    Head head = new Head(Task.CLASSIFICATION, List.of("a", "b"));
    String page =
        page(head, row("nul\0 half\ud800 bell\u0007", 0), new double[] {1, 0}, new double[] {0, 1});
    assertThat(page).contains("nul\ufffd half\ufffd bell\ufffd");
  }

  @Test
  void showsSecondText() {
    Head head = new Head(Task.CLASSIFICATION, List.of("a", "b"));
    StudentComparison.Row pair = new StudentComparison.Row("1", "one", "two", 1);
    assertThat(page(head, pair, new double[] {1, 0}, new double[] {0, 1}))
        .contains(">second text</th>", "<td class=\"l\">two</td>");
  }

  @Test
  void comparesScoresWithoutCalibration() {
    String page = page(Head.REGRESSION, row("text", 2.5), new double[] {2}, new double[] {3.25});
    assertThat(page).contains(">2.500<", ">2.000<", ">3.250<", ">1.250<");
    assertThat(page).doesNotContain("id=\"calibration\"");
  }

  @Test
  void comparesSeveralLabels() {
    Head head = new Head(Task.MULTI_LABEL, List.of("a", "b"));
    String page = page(head, row("text", 3), new double[] {0.9, 0.8}, new double[] {0.1, 0.2});
    assertThat(page).contains(">a, b<", "a (0.90), b (0.80)", ">none<", "id=\"calibration\"");
  }

  @Test
  void comparesMaskedLmsByLayersOnly() {
    double[][] cka = {{0.9, 0.1}, {0.2, Double.NaN}};
    StudentComparison compared =
        new StudentComparison(
            Head.MASKED_LM,
            List.of(row("text", Double.NaN)),
            new StudentComparison.Model("teacher", new double[][] {{}}, cka),
            List.of(new StudentComparison.Model("student", new double[][] {{}}, cka)),
            Map.of());
    String page = page(compared);
    assertThat(page).contains("id=\"layers\"", "state 0 is closest to the teacher&#39;s 0 (0.90)");
    assertThat(page).doesNotContain("id=\"calibration\"", "id=\"texts\"");
  }

  @Test
  void saysWhichStudentsWereLeftOut() {
    double[][] cka = {{1}};
    StudentComparison compared =
        new StudentComparison(
            Head.MASKED_LM,
            List.of(row("text", Double.NaN)),
            new StudentComparison.Model("teacher", new double[][] {{}}, cka),
            List.of(new StudentComparison.Model("student", new double[][] {{}}, cka)),
            Map.of("broken", "its output is not finite for 3 rows"));
    assertThat(page(compared)).contains("broken: its output is not finite for 3 rows.");
  }

  @Test
  void calibrationOfModelsIsInTable() {
    Calibration calibration =
        Calibration.of(new double[] {0.9, 0.9}, new boolean[] {true, false}, Calibration.BINS);
    ComparisonSummary summary =
        new ComparisonSummary(
            2, true, Map.of(), Map.of("teacher", calibration), "student", List.of(), Map.of());
    assertThat(page(summary)).contains("<td class=\"n\">0.4000</td>", "2 held-out rows");
  }

  private static StudentComparison.Row row(String text, double label) {
    return new StudentComparison.Row("1", text, null, label);
  }

  private static String page(
      Head head, StudentComparison.Row row, double[] teacher, double[] student) {
    return page(
        new StudentComparison(
            head,
            List.of(row),
            new StudentComparison.Model("teacher", new double[][] {teacher}, NONE),
            List.of(new StudentComparison.Model("student", new double[][] {student}, NONE)),
            Map.of()));
  }

  private static String page(StudentComparison compared) {
    return page(ComparisonSummary.of(compared, ComparisonSummary.Rows.HELD_OUT, "student", 20));
  }

  private static String page(ComparisonSummary summary) {
    Report.Summary none =
        new Report.Summary(List.of(), "", "", "student", List.of(), List.of(), List.of());
    Origin origin =
        new Origin("/runs/q", "2026-01-02T03:04:05Z", "1", Map.of(), Map.of(), Map.of());
    return ReportPage.of(
        new Report(none, List.of(), List.of(), List.of(), summary, origin, List.of()));
  }
}

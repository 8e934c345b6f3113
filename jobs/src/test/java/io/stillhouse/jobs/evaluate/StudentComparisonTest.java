package io.stillhouse.jobs.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.jobs.BrokenModels;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class StudentComparisonTest {
  private static final Storage STORAGE = new Storage(new Configuration());

  @TempDir private static Path shared;

  private static Path cache;
  private static Path other;
  private static StudentComparison compared;

  @BeforeAll
  static void comparesOnce() throws IOException {
    Path corpus = Tiny.labelled(shared.resolve("rows.tsv"), 60, "LABEL_2", "LABEL_0");
    cache = shared.resolve("cache");
    new CacheJob(Tiny.spark(), TinyRecipe.labelled(corpus).cache(cache).settings()).run();
    other = Tiny.otherWeights(shared.resolve("other"));
    Map<String, Path> students = new LinkedHashMap<>();
    students.put("same", Tiny.CLS);
    students.put("other", other);
    students.put("headless", Tiny.MLM);
    students.put("short", BrokenModels.withPositions(Tiny.CLS, 8, shared.resolve("short")));
    students.put(
        "broken", BrokenModels.dead(Tiny.CLS, "classifier.bias", shared.resolve("broken")));
    compared = compare(cache, students, 50);
  }

  @Test
  void readsAsManyRowsAsAsked() {
    assertThat(compared.rows()).hasSize(50);
    assertThat(compared.rows()).allSatisfy(row -> assertThat(row.text()).isNotEmpty());
    assertThat(compared.rows())
        .extracting(StudentComparison.Row::label)
        .contains(0.0, 2.0)
        .containsAnyOf(0.0, 2.0);
    assertThat(compared.head().labels()).containsExactly("LABEL_0", "LABEL_1", "LABEL_2");
  }

  @Test
  void equalModelHasEqualOutputsAndLayers() {
    StudentComparison.Model same = compared.student("same");
    assertThat(same.outputs()).isDeepEqualTo(compared.teacher().outputs());
    assertThat(same.cka()).hasDimensions(Tiny.LAYERS + 1, Tiny.LAYERS + 1);
    for (int layer = 0; layer <= Tiny.LAYERS; layer++) {
      assertThat(same.cka()[layer][layer]).isEqualTo(1, within(1e-9));
    }
    assertThat(compared.mostDifferent(same, 3))
        .hasSize(3)
        .allSatisfy(difference -> assertThat(difference.distance()).isZero());
  }

  @Test
  void outputsAreProbabilities() {
    for (double[] row : compared.student("other").outputs()) {
      assertThat(Arrays.stream(row).sum()).isEqualTo(1, within(1e-6));
    }
  }

  @Test
  void countsAgreeWithPredictions() {
    StudentComparison.Model student = compared.student("other");
    long[][] confusion = compared.confusion(student);
    long right = 0;
    for (int row = 0; row < compared.rows().size(); row++) {
      right += student.predictedClass(row) == compared.rows().get(row).label() ? 1 : 0;
    }
    assertThat(confusion[0][0] + confusion[1][1] + confusion[2][2]).isEqualTo(right);
    assertThat(Arrays.stream(confusion[1]).sum()).isZero(); // no row has this label
    assertThat(Arrays.stream(compared.agreement(student)).flatMapToLong(Arrays::stream).sum())
        .isEqualTo(50);
  }

  @Test
  void calibrationComparesProbabilityOfPredictedClass() {
    StudentComparison.Model student = compared.student("other");
    double probabilities = 0;
    for (double[] row : student.outputs()) {
      probabilities += Arrays.stream(row).max().orElseThrow() / 50;
    }
    assertThat(compared.calibration(student).orElseThrow().meanProbability())
        .isEqualTo(probabilities, within(1e-9));
  }

  @Test
  void mostDifferentRowsComeFirst() {
    List<StudentComparison.Difference> differences =
        compared.mostDifferent(compared.student("other"), 50);
    assertThat(differences)
        .extracting(StudentComparison.Difference::distance)
        .isSortedAccordingTo((a, b) -> Double.compare(b, a));
    StudentComparison.Difference first = differences.get(0);
    double distance = 0;
    for (int c = 0; c < 3; c++) {
      distance += Math.abs(first.teacher()[c] - first.student()[c]) / 2;
    }
    assertThat(first.distance()).isEqualTo(distance).isBetween(0.0, 1.0);
  }

  @Test
  void modelWithAnotherHeadIsComparedLayerByLayerOnly() {
    StudentComparison.Model headless = compared.student("headless");
    assertThat(headless.hasOutputs()).isFalse();
    assertThat(headless.cka()).hasDimensions(Tiny.LAYERS + 1, Tiny.LAYERS + 1);
    assertThat(compared.calibration(headless)).isEmpty();
    assertThat(compared.mostDifferent(headless, 5)).isEmpty();
  }

  @Test
  void leavesOutStudentsThatDoNotFit() {
    assertThat(compared.leftOut()).containsOnlyKeys("short", "broken");
    assertThat(compared.leftOut().get("short")).matches("it reads 8 tokens, but a row has \\d+");
    assertThat(compared.leftOut().get("broken")).isEqualTo("its output is not finite for 50 rows");
    assertThatThrownBy(() -> compared.student("broken"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("there is no student 'broken'");
  }

  @Test
  void hasNoSimilaritiesOfFewRows() throws IOException {
    StudentComparison few = compare(cache, Map.of("other", other), 3);
    assertThat(few.student("other").cka()).isEmpty();
    assertThat(few.student("other").outputs()).hasNumberOfRows(3);
  }

  @Test
  void comparesScores() throws IOException {
    Path corpus = Tiny.labelled(shared.resolve("scores.tsv"), 20, "0.5", "3");
    Path scores = shared.resolve("scores");
    new CacheJob(
            Tiny.spark(), TinyRecipe.labelled(corpus).teacher(Tiny.REG).cache(scores).settings())
        .run();
    StudentComparison regression = compare(scores, Map.of("same", Tiny.REG), 20);
    assertThat(regression.head().task()).isEqualTo(Task.REGRESSION);
    assertThat(regression.teacher().outputs()[0]).hasSize(1);
    assertThat(regression.calibration(regression.teacher())).isEmpty();
    assertThat(regression.confusion(regression.teacher())).isEmpty();
    assertThat(regression.mostDifferent(regression.student("same"), 1).get(0).distance()).isZero();
  }

  private static StudentComparison compare(Path cache, Map<String, Path> students, int rows)
      throws IOException {
    Map<String, org.apache.hadoop.fs.Path> paths = new LinkedHashMap<>();
    students.forEach((name, path) -> paths.put(name, new org.apache.hadoop.fs.Path(path.toUri())));
    return StudentComparison.of(STORAGE, new org.apache.hadoop.fs.Path(cache.toUri()), paths, rows);
  }
}

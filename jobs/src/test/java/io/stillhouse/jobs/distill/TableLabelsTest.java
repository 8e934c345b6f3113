package io.stillhouse.jobs.distill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TableLabelsTest {
  private static final Head CLASSES = new Head(Task.CLASSIFICATION, List.of("no", "yes"));

  @Test
  void fewNamesOrNumbersAreClasses() {
    assertThat(TableLabels.task(Map.of("no", 30L, "yes", 20L), "label"))
        .isEqualTo("classification");
    assertThat(TableLabels.task(Map.of("1.0", 30L, "2.0", 20L), "stars"))
        .isEqualTo("classification");
  }

  @Test
  void manyFractionsAreScores() {
    Map<String, Long> scores =
        IntStream.range(0, 25)
            .mapToObj(i -> Double.toString(i / 5.0))
            .collect(Collectors.toMap(Function.identity(), score -> 2L));

    assertThat(TableLabels.task(scores, "score")).isEqualTo("regression");
  }

  @Test
  void rejectsColumnWithDifferentValueInNearlyEveryRow() {
    assertThatThrownBy(() -> TableLabels.task(Map.of("a", 1L, "b", 1L, "c", 2L), "name"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("column 'name' has 3 distinct values in 4 labelled rows")
        .hasMessageContaining("set corpus.label to another column");
  }

  @Test
  void rejectsColumnWithOneValue() {
    assertThatThrownBy(() -> TableLabels.task(Map.of("a", 100L), "name"))
        .hasMessageContaining("column 'name' has 1 distinct values");
  }

  @Test
  void headMayHaveSomeMoreNamesButNoMoreNumbers() {
    Head three = new Head(Task.CLASSIFICATION, List.of("no", "yes", "maybe"));

    assertThat(TableLabels.fits(three, Task.CLASSIFICATION, Set.of("yes", "no"))).isTrue();
    assertThat(TableLabels.fits(three, Task.CLASSIFICATION, Set.of("0", "1"))).isFalse();
  }

  @Test
  void headFitsIfItPredictsSameClasses() {
    assertThat(TableLabels.fits(CLASSES, Task.CLASSIFICATION, Set.of("yes", "no"))).isTrue();
    assertThat(TableLabels.fits(CLASSES, Task.CLASSIFICATION, Set.of("0", "1"))).isTrue();
    assertThat(TableLabels.fits(CLASSES, Task.CLASSIFICATION, Set.of("yes"))).isFalse();
    assertThat(TableLabels.fits(CLASSES, Task.CLASSIFICATION, Set.of("yes", "maybe"))).isFalse();
    assertThat(TableLabels.fits(Head.NONE, Task.CLASSIFICATION, Set.of("yes", "no"))).isFalse();
    assertThat(TableLabels.fits(Head.REGRESSION, Task.REGRESSION, Set.of())).isTrue();
  }
}

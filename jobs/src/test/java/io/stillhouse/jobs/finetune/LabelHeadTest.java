package io.stillhouse.jobs.finetune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LabelHeadTest {
  @TempDir private Path directory;

  @Test
  @Tag("spark")
  void ordersTwelveNumericClassesByValue() throws IOException {
    List<String> labels =
        IntStream.range(0, 48).mapToObj(row -> Integer.toString(row * 7 % 12)).toList();
    assertThat(read(labels).head().labels())
        .isEqualTo(IntStream.range(0, 12).mapToObj(Integer::toString).toList());
  }

  @Test
  @Tag("spark")
  void takesEqualNumbersForOneClass() throws IOException {
    assertThat(read(List.of("1.0", "0", "1", "0.0", "-1")).head().labels())
        .containsExactly("-1", "0", "1");
  }

  @Test
  @Tag("spark")
  void countsSeveralLabelsOfRow() throws IOException {
    LabelHead read = read(List.of("joy|2", "10", "2|10 ", ""), "finetune.task=multi-label");
    assertThat(read.head()).isEqualTo(new Head(Task.MULTI_LABEL, List.of("2", "10", "joy")));
    assertThat(read(List.of("joy", ""), "finetune.task=multi-label").head().labels())
        .containsExactly("joy");
  }

  @Test
  @Tag("spark")
  void notesThatScoresAreTakenForClasses() throws IOException {
    List<String> scores =
        IntStream.range(0, 50).mapToObj(row -> Double.toString(row / 10.0)).toList();
    assertThat(read(scores).notes())
        .containsExactly(
            "the 50 distinct numbers of corpus.label 'label', from 0 to 4.9, are taken for classes;"
                + " if they are scores, set finetune.task=regression");
    assertThat(read(scores, "finetune.task=regression").notes()).isEmpty();
  }

  @Test
  void notesManyNumbersOrOneClassPerRow() {
    List<String> hundred = IntStream.range(0, 100).mapToObj(Integer::toString).toList();
    assertThat(LabelHead.notes("id", hundred, 100))
        .singleElement()
        .asString()
        .startsWith("the 100 distinct numbers of corpus.label 'id', from 0 to 99,");
    List<String> words = hundred.stream().map(number -> "word " + number).toList();
    assertThat(LabelHead.notes("text", words, 120))
        .singleElement()
        .asString()
        .startsWith("corpus.label 'text' has 100 classes in 120 rows");
    assertThat(LabelHead.notes("intent", words, 10_000)).isEmpty();
    assertThat(LabelHead.notes("stars", List.of("1", "2", "3", "4", "5"), 6)).isEmpty();
  }

  @Test
  void rejectsClassesOfTaskWithoutAny() {
    for (String task : List.of("regression", "masked-lm")) {
      Settings settings =
          settings("finetune.task=" + task, "corpus.classes=[a, b]", "corpus.label=label");
      assertThatThrownBy(() -> LabelHead.check(settings))
          .isInstanceOf(StillhouseException.class)
          .hasMessageStartingWith(
              "corpus.classes is [a, b], but finetune.task is " + task + ", which has no classes");
    }
  }

  @Test
  void rejectsEqualNumbersAsTwoClasses() {
    Settings settings = settings("corpus.classes=[1, 1.0]", "corpus.label=label");
    assertThatThrownBy(() -> LabelHead.check(settings))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("two classes have the same name ([1, 1.0])");
  }

  private LabelHead read(List<String> labels, String... more) throws IOException {
    Path rows =
        Files.writeString(
            directory.resolve("rows.tsv"),
            labels.stream()
                .map(label -> "the of\t" + label + "\n")
                .collect(Collectors.joining("", "text\tlabel\n", "")));
    String[] all = new String[more.length + 3];
    all[0] = "corpus.path=" + rows;
    all[1] = "corpus.text=text";
    all[2] = "corpus.label=label";
    System.arraycopy(more, 0, all, 3, more.length);
    return LabelHead.read(Tiny.spark(), settings(all));
  }

  private static Settings settings(String... values) {
    return Settings.parse(null, List.of(values));
  }
}

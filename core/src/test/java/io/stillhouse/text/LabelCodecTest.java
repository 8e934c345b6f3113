package io.stillhouse.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LabelSet;
import io.stillhouse.spec.Task;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LabelCodecTest {

  @Test
  void readsNamesBeforeIds() {
    LabelCodec codec = classes("entailment", "not_entailment");
    assertThat(codec.encode("not_entailment", "k")).isEqualTo(1);
    assertThat(codec.encode(" entailment ", "k")).isEqualTo(0);
    assertThat(codec.encode("1", "k")).isEqualTo(1);
    assertThat(codec.encode("1.0", "k")).isEqualTo(1);
    assertThat(classes("LABEL_0", "LABEL_1").encode("0", "k")).isEqualTo(0);
  }

  @Test
  void doesNotReadIdsIfNamesAreNumeric() {
    LabelCodec codec = classes("1", "0");
    assertThat(codec.encode("0", "k")).isEqualTo(1);
    assertThatThrownBy(() -> classes("1", "2").encode("0", "dev.tsv:3"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "the label of row 'dev.tsv:3' must be one of 2 classes, but is '0'; the classes are [1,"
                + " 2]; correct the row, choose another label column, or set corpus.classes to the"
                + " names in the data, in the order of the class ids");
  }

  @Test
  void encodesSeveralLabelsAsSet() {
    LabelCodec codec =
        LabelCodec.of(new Head(Task.MULTI_LABEL, List.of("anger", "joy", "surprise")));

    assertThat(LabelSet.numbers(codec.encode("joy", "k"), 3)).containsExactly(0, 1, 0);
    assertThat(LabelSet.numbers(codec.encode("surprise | anger|anger", "k"), 3))
        .containsExactly(1, 0, 1);
    assertThat(codec.encode(null, "k")).isZero();
    assertThat(codec.encode("2", "k")).isEqualTo(4);
    assertThatThrownBy(() -> codec.encode("joy|fear", "train.tsv:3"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the label of row 'train.tsv:3' must be")
        .hasMessageContaining("but is 'fear'");
  }

  @Test
  void joinsLabelListAndRejectsVerticalBars() {
    assertThat(LabelCodec.join(Arrays.asList("joy", null, "fear"), "k")).isEqualTo("joy|fear");
    assertThat(LabelCodec.join(List.of(), "k")).isEmpty();
    assertThatThrownBy(() -> LabelCodec.join(List.of("joy", "up|down"), "rows.jsonl:7"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "the label 'up|down' of row 'rows.jsonl:7' contains a vertical bar, which separates"
                + " labels; rename that label");
  }

  @Test
  void rejectsDuplicateClassNames() {
    assertThatThrownBy(() -> classes("no", "yes", "no"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "two classes have the same name ([no, yes, no]), so labels are ambiguous; give each"
                + " class its own name in corpus.classes, or leave corpus.label out to distill from"
                + " soft labels alone");
  }

  @Test
  void rejectsMoreLabelsThanFitInSet() {
    List<String> labels = IntStream.range(0, 53).mapToObj(label -> "l" + label).toList();

    assertThatThrownBy(() -> LabelCodec.of(new Head(Task.MULTI_LABEL, labels)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has 53 labels")
        .hasMessageContaining("at most 52 are supported");
    assertThat(LabelCodec.of(new Head(Task.MULTI_LABEL, labels.subList(0, 52))).encode("l51", "k"))
        .isEqualTo(0x1p51);
  }

  @Test
  void reportsRowValueAndClassesOfUnknownLabel() {
    assertThatThrownBy(() -> classes("neg", "pos").encode("2", "dev.tsv:3"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "the label of row 'dev.tsv:3' must be one of 2 classes or an id of 0 to 1, but is '2';"
                + " the classes are [neg, pos]; correct the row, choose another label column, or"
                + " set corpus.classes to the names in the data, in the order of the class ids");
    assertThatThrownBy(() -> classes("neg", "pos").encode(null, "a:1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "the label of row 'a:1' is missing; the classes are [neg, pos]; add it, or remove the"
                + " row");
  }

  @Test
  void comparesNumbersByValue() {
    LabelCodec codec = classes("1", "2.0", "-1", "0.50", "-0");
    assertThat(codec.encode("1.0", "k")).isEqualTo(0);
    assertThat(codec.encode("2", "k")).isEqualTo(1);
    assertThat(codec.encode("-1.00", "k")).isEqualTo(2);
    assertThat(codec.encode("0.5", "k")).isEqualTo(3);
    assertThat(codec.encode("0", "k")).isEqualTo(4);
    assertThatThrownBy(() -> codec.encode("3", "k")).hasMessageContaining("but is '3'");
    assertThatThrownBy(() -> classes("1", "1.0"))
        .hasMessageContaining("two classes have the same name ([1, 1.0])");
  }

  @Test
  void keepsLeadingZeros() {
    LabelCodec codec = classes("1", "01", "1e0");
    assertThat(codec.encode("01", "k")).isEqualTo(1);
    assertThat(codec.encode("1", "k")).isEqualTo(0);
    assertThat(codec.encode("1e0", "k")).isEqualTo(2);
  }

  @Test
  void readsNoIdsIfNamesAreNegativeOrFractions() {
    assertThatThrownBy(() -> classes("-1", "other").encode("0", "k"))
        .hasMessageContaining("must be one of 2 classes, but is '0'");
    assertThatThrownBy(() -> classes("0.5", "other").encode("0", "k"))
        .hasMessageContaining("must be one of 2 classes, but is '0'");
  }

  @Test
  void missingLabelIsNotEmptyClass() {
    assertThatThrownBy(() -> classes("", "pos").encode(" ", "a:1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the label of row 'a:1' is missing");
  }

  @Test
  void ignoresBlanksAroundNames() {
    assertThat(classes(" neg", "very bad ").encode("\tvery bad", "k")).isEqualTo(1);
    assertThat(classes(" neg", "very bad ").encode("neg ", "k")).isEqualTo(0);
  }

  @Test
  void rejectsSeveralLabelsWithBarInName() {
    assertThatThrownBy(() -> LabelCodec.of(new Head(Task.MULTI_LABEL, List.of("a|b", "c"))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the label 'a|b' contains a vertical bar");
    assertThat(LabelCodec.of(new Head(Task.MULTI_LABEL, List.of("joy"))).encode("joy", "k"))
        .isEqualTo(1);
  }

  @Test
  void doesNotReadJavaLiteralsAsScores() {
    LabelCodec codec = LabelCodec.of(Head.REGRESSION);
    assertThat(codec.encode("-1e3", "k")).isEqualTo(-1000);
    for (String label : List.of("1d", "0x1p3", "Infinity", "1e999", "pos", "")) {
      assertThatThrownBy(() -> codec.encode(label, "a:1"))
          .isInstanceOf(StillhouseException.class)
          .hasMessageContaining("must be a finite number for regression, but is '" + label + "'");
    }
  }

  @Test
  void abbreviatesLongListOfClasses() {
    String[] names = IntStream.range(0, 45).mapToObj(id -> "class-" + id).toArray(String[]::new);
    assertThatThrownBy(() -> classes(names).encode("x", "a:1"))
        .hasMessageContaining("class-11] and 33 more");
  }

  @Test
  void readsNumbersForRegression() {
    LabelCodec codec = LabelCodec.of(Head.REGRESSION);
    assertThat(codec.encode("3.25", "k")).isEqualTo(3.25);
    assertThatThrownBy(() -> codec.encode("NaN", "a:1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "the label of row 'a:1' must be a finite number for regression, but is 'NaN'; correct"
                + " the row or choose another label column");
  }

  private static LabelCodec classes(String... names) {
    return LabelCodec.of(new Head(Task.CLASSIFICATION, List.of(names)));
  }
}

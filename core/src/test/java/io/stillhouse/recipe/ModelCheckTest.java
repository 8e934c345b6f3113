package io.stillhouse.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ModelCheckTest {
  private static final Head THREE =
      new Head(Task.CLASSIFICATION, List.of("LABEL_0", "LABEL_1", "LABEL_2"));

  @Test
  void rejectsTextsLongerThanPositions() {
    assertThatThrownBy(() -> check(bert(2, THREE), "corpus.max-length=41").requireReads())
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "corpus.max-length must be at most the positions of the teacher, 40, but is '41'; lower"
                + " it");
    assertThatCode(() -> check(bert(2, THREE), "corpus.max-length=40").requireReads())
        .doesNotThrowAnyException();
  }

  @Test
  void rejectsPairsForOneSegment() {
    assertThatThrownBy(() -> check(bert(1, THREE), "corpus.pair=b").requireReads())
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(
            "corpus.pair needs a second segment, but the teacher's type_vocab_size is 1; ");
    assertThatCode(() -> check(bert(1, THREE)).requireReads()).doesNotThrowAnyException();
    assertThatCode(() -> check(bert(2, THREE), "corpus.pair=b").requireReads())
        .doesNotThrowAnyException();
  }

  @Test
  void architectureWithoutSegmentsReadsPairs() {
    EncoderSpec bert = bert(2, THREE);
    EncoderSpec distilBert =
        new EncoderSpec(
            Architecture.DISTILBERT,
            8,
            new EncoderSpec.Embeddings(20, 40, 0, 0),
            bert.blocks(),
            new EncoderSpec.Numerics(1e-12, 0, 0, 0),
            THREE);
    assertThatCode(() -> check(distilBert, "corpus.pair=b").requireReads())
        .doesNotThrowAnyException();
  }

  @Test
  void reportsEveryProblemAtOnce() {
    assertThatThrownBy(
            () -> check(bert(1, THREE), "corpus.pair=b", "corpus.max-length=512").requireReads())
        .hasMessageStartingWith("2 problems:")
        .hasMessageContaining("positions of the teacher, 40")
        .hasMessageContaining("corpus.pair needs a second segment");
  }

  @Test
  void rejectsPairsForBiLstmOfSingleTextsAndReverse() {
    assertThatThrownBy(() -> check(biLstm(BiLstmSpec.Texts.SINGLE), "corpus.pair=b").requireReads())
        .hasMessageContaining("corpus.pair is 'b', but the teacher is a BiLSTM of single texts");
    assertThatThrownBy(() -> check(biLstm(BiLstmSpec.Texts.PAIR)).requireReads())
        .hasMessageContaining("the teacher is a BiLSTM of pairs, but corpus.pair is not set");
  }

  @Test
  void rejectsLinesForModelWithoutPositionsOrSegments() {
    assertThatThrownBy(() -> check(bert(0, THREE)).requireReadsLines())
        .hasMessageContaining("the teacher has no segment, because its type_vocab_size is 0");
    EncoderSpec short2 =
        new EncoderSpec(
            new EncoderSpec.Embeddings(20, 2, 2, 0),
            bert(2, THREE).blocks(),
            bert(2, THREE).numerics(),
            THREE);
    assertThatThrownBy(() -> check(short2).requireReadsLines())
        .hasMessageContaining("the teacher has 2 positions, but [CLS], a token and [SEP] need 3");
  }

  @Test
  void namesClassesAsDataDoes() {
    assertThat(check(bert(2, THREE), "corpus.classes=[neg, neutral, pos]").head().labels())
        .containsExactly("neg", "neutral", "pos");
    assertThat(check(bert(2, THREE)).head()).isEqualTo(THREE);
  }

  @Test
  void rejectsClassesOfAnotherNumber() {
    assertThatThrownBy(() -> check(bert(2, THREE), "corpus.classes=[neg, pos]").head())
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "corpus.classes is [neg, pos] (2 names), but the teacher has 3 classes [LABEL_0,"
                + " LABEL_1, LABEL_2]; name each class of the model, in the order of its ids");
  }

  @Test
  void rejectsModelsOwnNamesInAnotherOrder() {
    Head head = new Head(Task.CLASSIFICATION, List.of("neg", "pos"));
    assertThatThrownBy(() -> check(bert(2, head), "corpus.classes=[pos, neg]").head())
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "corpus.classes is [pos, neg], so 'pos' is class 0, but it is class 1 of the teacher,"
                + " whose classes are [neg, pos]; list the names in the model's order");
    assertThat(check(bert(2, head), "corpus.classes=[neg, pos]").head()).isEqualTo(head);
  }

  @Test
  void rejectsClassesForHeadWithoutAny() {
    assertThatThrownBy(() -> check(bert(2, Head.REGRESSION), "corpus.classes=[neg, pos]").head())
        .hasMessageContaining("corpus.classes is [neg, pos], but the teacher predicts a number");
    assertThatThrownBy(() -> check(bert(2, Head.MASKED_LM), "corpus.classes=[neg, pos]").head())
        .hasMessageContaining("but the teacher predicts tokens, because it is a masked LM");
  }

  @Test
  void rejectsAmbiguousNamesOnlyIfThereAreLabels() {
    Head twice = new Head(Task.CLASSIFICATION, List.of("1", "1.0"));
    assertThatThrownBy(() -> check(bert(2, twice), "corpus.label=label").head())
        .hasMessageContaining("two classes have the same name");
    assertThat(check(bert(2, twice)).head()).isEqualTo(twice);
  }

  @Test
  void rejectsTaskOfAnotherKindOfLabel() {
    assertThatThrownBy(
            () -> check(bert(2, Head.REGRESSION), "task=sst-2", "corpus.label=label").head())
        .hasMessageContaining("task is sst-2, whose labels are classes")
        .hasMessageContaining("but the teacher predicts a number");
    assertThatThrownBy(() -> check(bert(2, THREE), "task=sts-b", "corpus.label=score").head())
        .hasMessageContaining("task is sts-b, whose labels are numbers");
  }

  @Test
  void saysThatLabelsAreNotUsed() {
    assertThat(check(bert(2, Head.MASKED_LM), "corpus.label=label").ignoresLabels()).isTrue();
    assertThat(check(bert(2, Head.MASKED_LM)).ignoresLabels()).isFalse();
    assertThat(check(bert(2, THREE), "corpus.label=label").ignoresLabels()).isFalse();
  }

  @Test
  void messagesAboutManyClassesAreShort() {
    List<String> names =
        IntStream.range(0, 77).mapToObj(id -> "a rather long name of class " + id).toList();
    Head head = new Head(Task.CLASSIFICATION, names);
    String given = "corpus.classes=" + names.subList(0, 76);
    assertThatThrownBy(() -> check(bert(2, head), given).head())
        .extracting(error -> String.valueOf(error.getMessage()).length())
        .matches(length -> (int) length < 600);
  }

  private static ModelCheck check(ModelSpec model, String... settings) {
    List<String> all = new ArrayList<>(List.of("corpus.max-length=40"));
    all.addAll(List.of(settings));
    return ModelCheck.of(Settings.parse(null, all), "the teacher", model);
  }

  private static EncoderSpec bert(int segments, Head head) {
    return new EncoderSpec(
        new EncoderSpec.Embeddings(20, 40, segments, 0),
        new EncoderSpec.Blocks(1, 8, 2, 16),
        new EncoderSpec.Numerics(1e-12, 0, 0, 0),
        head);
  }

  private static BiLstmSpec biLstm(BiLstmSpec.Texts texts) {
    return new BiLstmSpec(new BiLstmSpec.Words(20, 4), new BiLstmSpec.Units(4, 4), 0, texts, THREE);
  }
}

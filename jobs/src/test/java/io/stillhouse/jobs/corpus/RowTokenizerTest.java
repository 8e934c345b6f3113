package io.stillhouse.jobs.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.Masking;
import io.stillhouse.text.Segmenter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullAndEmptySource;
import org.junit.jupiter.params.provider.ValueSource;

class RowTokenizerTest {
  private static final Head TWO_CLASSES = new Head(Task.CLASSIFICATION, List.of("no", "yes"));
  private static final List<String> TABLE = List.of("corpus.path=x", "corpus.text=text");
  private static final List<String> LABELLED =
      List.of("corpus.path=x", "corpus.text=text", "corpus.label=label");
  private static final List<String> PROSE = List.of("corpus.path=x", "corpus.max-length=5");

  @Test
  void tokenizesTableRowUnderItsKey() throws IOException {
    InputRow row = tokenize(tokenizer(TABLE, Head.NONE), single("k", "he had")).get(0);

    assertThat(row.id()).isEqualTo("k");
    assertThat(row.text()).isEqualTo("he had");
    assertThat(row.pair()).isNull();
    assertThat(row.length()).isEqualTo(4);
    assertThat(row.typeIds()).containsOnly(0);
    assertThat(row.mlmLabels()).isNull();
  }

  @Test
  void pairsTwoTexts() throws IOException {
    InputRow row =
        tokenize(tokenizer(TABLE, Head.NONE), new SourceRow("k", "he", "had", null)).get(0);

    assertThat(row.pair()).isEqualTo("had");
    assertThat(row.typeIds()).containsExactly(0, 0, 0, 1, 1);
  }

  @Test
  void truncatesRowsOfTable() throws IOException {
    List<String> shorter = with(TABLE, "corpus.max-length=4");

    InputRow row = tokenize(tokenizer(shorter, Head.NONE), single("k", "he had it for")).get(0);

    assertThat(row.length()).isEqualTo(4);
    assertThat(row.text()).isEqualTo("he had");
  }

  @Test
  void splitsProseIntoNumberedWindows() throws IOException {
    List<InputRow> rows = tokenize(tokenizer(PROSE, Head.NONE), single("k", "he had it for the"));

    assertThat(rows).extracting(InputRow::id).containsExactly("k#0", "k#1");
    assertThat(rows).extracting(InputRow::text).containsExactly("he had it ", "for the");
  }

  @Test
  void skipsBlankLinesOfProse() throws IOException {
    assertThat(tokenize(tokenizer(PROSE, Head.NONE), single("k", ""))).isEmpty();
  }

  @Test
  void tableRowWithoutTokensIsInvalid() throws IOException {
    assertThat(tokenize(tokenizer(TABLE, Head.NONE), single("k", "")))
        .extracting(InputRow::status)
        .containsExactly("empty");
  }

  @Test
  void replacementCharacterIsText() throws IOException {
    assertThat(tokenize(tokenizer(TABLE, Head.NONE), single("k", "he\uFFFD had")).get(0).inputIds())
        .isEqualTo(tokenize(tokenizer(TABLE, Head.NONE), single("k", "he had")).get(0).inputIds());
  }

  @Test
  void recordThatCannotBeReadIsInvalidForThatReason() throws IOException {
    SourceRow broken = new SourceRow("k", "", null, null, "3 fields instead of 2");

    assertThat(tokenize(tokenizer(LABELLED, TWO_CLASSES), broken))
        .extracting(InputRow::status)
        .containsExactly("3 fields instead of 2");
  }

  @Test
  void recordOfProseThatCannotBeReadIsInvalid() throws IOException {
    assertThat(
            tokenize(tokenizer(PROSE, Head.NONE), new SourceRow("k", "", null, null, "not UTF-8")))
        .extracting(InputRow::status)
        .containsExactly("not UTF-8");
  }

  @ParameterizedTest
  @NullAndEmptySource
  @ValueSource(strings = " ")
  void rowWithoutLabelIsInvalid(String label) throws IOException {
    assertThat(tokenize(tokenizer(LABELLED, TWO_CLASSES), new SourceRow("k", "he", null, label)))
        .extracting(InputRow::status)
        .containsExactly("no label");
  }

  @Test
  void rowWithoutLabelsOfMultiLabelTaskBelongsToNoClass() throws IOException {
    Head head = new Head(Task.MULTI_LABEL, List.of("no", "yes"));

    assertThat(tokenize(tokenizer(LABELLED, head), single("k", "he")).get(0).label())
        .isEqualTo(0.0);
  }

  @Test
  void readsLabelsOfTaskHead() throws IOException {
    InputRow row =
        tokenize(tokenizer(LABELLED, TWO_CLASSES), new SourceRow("k", "he", null, "yes")).get(0);

    assertThat(row.label()).isEqualTo(1.0);
  }

  @Test
  void rejectsUnknownLabel() throws IOException {
    RowTokenizer tokenizer = tokenizer(LABELLED, TWO_CLASSES);

    assertThatThrownBy(() -> tokenize(tokenizer, new SourceRow("k", "he", null, "maybe")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the label of row 'k' must be one of 2 classes");
  }

  @Test
  void readsNoLabelsWithoutLabelColumn() throws IOException {
    assertThat(tokenizer(TABLE, TWO_CLASSES).labels()).isNull();
  }

  @Test
  void readsNoLabelsForMaskedLm() throws IOException {
    assertThat(tokenizer(LABELLED, Head.MASKED_LM).labels()).isNull();
  }

  @Test
  void masksOnlyForMaskedLm() throws IOException {
    assertThat(tokenizer(TABLE, TWO_CLASSES).mask()).isNull();
    assertThat(tokenizer(TABLE, Head.MASKED_LM).mask()).isNotNull();
  }

  @Test
  void masksEachRowInNumberedVariants() throws IOException {
    List<InputRow> rows =
        tokenize(
            tokenizer(TABLE, Head.MASKED_LM),
            single("k", "he had it for the of and to in is was he had"));

    assertThat(rows).extracting(InputRow::id).containsExactly("k~0", "k~1");
    assertThat(rows.get(0).mlmLabels()).isNotEqualTo(rows.get(1).mlmLabels());
  }

  @Test
  void labelsRestoreOriginalTokensOfMaskedRow() throws IOException {
    SourceRow row = single("k", "he had it for the of and to in is was");
    int[] original = tokenize(tokenizer(TABLE, Head.NONE), row).get(0).inputIds();

    InputRow masked = tokenize(tokenizer(TABLE, Head.MASKED_LM), row).get(0);

    int[] labels = masked.mlmLabels();
    int[] restored =
        IntStream.range(0, labels.length)
            .map(i -> labels[i] == Masking.IGNORED ? masked.inputIds()[i] : labels[i])
            .toArray();
    assertThat(restored).isEqualTo(original);
  }

  @Test
  void tokenizesLazilyInOrder() throws IOException {
    Iterator<SourceRow> source =
        IntStream.range(0, 1000).mapToObj(i -> single("k" + i, "he had")).iterator();

    Iterator<InputRow> rows = tokenizer(TABLE, Head.NONE).tokenize(source);

    assertThat(rows.next().id()).isEqualTo("k0");
    assertThat(source.next().key()).isEqualTo("k256");
    assertThat(rows.next().id()).isEqualTo("k1");
  }

  @Test
  void splitsProseIntoWindowsByDefault() {
    Settings settings = Tiny.settings(PROSE);

    assertThat(RowTokenizer.cut(settings, Recipe.corpus(settings)))
        .isEqualTo(new RowTokenizer.Cut(Segmenter.Mode.WINDOWS, Segmenter.TooLong.SPLIT, 5));
  }

  @Test
  void truncatesTablesByDefault() {
    Settings settings = Tiny.settings(TABLE, "corpus.max-length=40");

    assertThat(RowTokenizer.cut(settings, Recipe.corpus(settings)))
        .isEqualTo(new RowTokenizer.Cut(Segmenter.Mode.ROW, Segmenter.TooLong.TRUNCATE, 40));
  }

  private static RowTokenizer tokenizer(List<String> recipe, Head head) {
    Settings settings = Tiny.settings(recipe);
    Path model = head.equals(Head.MASKED_LM) ? Tiny.MLM : Tiny.CLS;
    RowTokenizer.Mask mask = RowTokenizer.Mask.of(settings, 2, settings.get(Options.CACHE_SEED));
    return RowTokenizer.of(settings, model.toString(), head, Recipe.corpus(settings), mask);
  }

  private static List<InputRow> tokenize(RowTokenizer tokenizer, SourceRow... rows)
      throws IOException {
    List<InputRow> inputs = new ArrayList<>();
    tokenizer.tokenize(Arrays.asList(rows).iterator()).forEachRemaining(inputs::add);
    return inputs;
  }

  private static SourceRow single(String key, String text) {
    return new SourceRow(key, text, null, null);
  }

  private static List<String> with(List<String> some, String... more) {
    List<String> all = new ArrayList<>(some);
    all.addAll(List.of(more));
    return all;
  }
}

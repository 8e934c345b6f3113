package io.stillhouse.jobs.augment;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.augment.ReplaceableWords.Stops;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.spec.Precision;
import io.stillhouse.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VocabularyTest {
  @TempDir private Path directory;

  @Test
  void candidatesAreWordsOfLettersOnly() throws IOException {
    Vocabulary vocabulary = open(TinyAugmentation.maskedLm());

    assertThat(candidates(Tiny.MLM, vocabulary))
        .contains("the", "of", "a")
        .doesNotContain("[MASK]", "7", ".", "b")
        .noneMatch(token -> token.startsWith("##"));
  }

  @Test
  void keptStopWordsAreNotCandidates() throws IOException {
    Path model = TinyAugmentation.withContentWords(directory.resolve("model"));

    Vocabulary vocabulary = open(TinyAugmentation.maskedLm(model, "", Stops.KEPT));

    assertThat(candidates(model, vocabulary))
        .contains("film", "plot", "actor", "scene")
        .doesNotContain("the", "of");
  }

  @Test
  void rejectsVocabularyWithoutCandidates() {
    assertThatThrownBy(() -> open(TinyAugmentation.maskedLm(Tiny.MLM, "", Stops.KEPT)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "the vocabulary of '%s' has no word that may replace another; set"
                    + " augment.stop-words=replaced, augment.kind=rules, or use another masked LM",
                Tiny.MLM));
  }

  @Test
  void hasNoVectorsIfDisabled() throws IOException {
    Vocabulary vocabulary =
        open(TinyAugmentation.maskedLm(Tiny.MLM, Augmentation.MaskedLm.NO_VECTORS, Stops.REPLACED));

    assertThat(vocabulary.hasVectors()).isFalse();
  }

  private static Vocabulary open(Augmentation.MaskedLm how) throws IOException {
    return Vocabulary.of(how, Models.encoder(how.model(), Precision.FLOAT32).encoder());
  }

  private static List<String> candidates(Path model, Vocabulary vocabulary) throws IOException {
    boolean[] candidate = vocabulary.candidates();
    try (Tokenizer tokenizer = Tokenizer.open(model)) {
      return IntStream.range(0, candidate.length)
          .filter(id -> candidate[id])
          .mapToObj(tokenizer::token)
          .toList();
    }
  }
}

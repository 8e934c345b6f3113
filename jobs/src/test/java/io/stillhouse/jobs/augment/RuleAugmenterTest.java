package io.stillhouse.jobs.augment;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.augment.RuleAugmentation;
import io.stillhouse.augment.WordsByTag;
import io.stillhouse.jobs.corpus.SourceRow;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RuleAugmenterTest {
  private static final WordsByTag NO_WORDS = new WordsByTag(Map.of());

  /** Masks every word. */
  private final RuleAugmenter augmenter =
      new RuleAugmenter(
          new RuleAugmentation(new RuleAugmentation.Probabilities(1, 0, 0), NO_WORDS, 42), 3);

  @Test
  void changesTextsOfPairInTurn() {
    SourceRow pair = new SourceRow("pairs.tsv:0", "he not 0", "had were", "1");

    assertThat(augmenter.of(List.of(pair)).get(0).texts())
        .containsExactly(
            new Augmentation.Texts("[MASK] [MASK] [MASK]", "had were"),
            new Augmentation.Texts("he not 0", "[MASK] [MASK]"),
            new Augmentation.Texts("[MASK] [MASK] [MASK]", "[MASK] [MASK]"));
  }

  @Test
  void countsWordsAndReplacementsInBothTexts() {
    SourceRow pair = new SourceRow("pairs.tsv:0", "he not 0", "had were", "1");

    Augmentation.Copies copies = augmenter.of(List.of(pair)).get(0);

    assertThat(copies.words()).isEqualTo(15);
    assertThat(copies.replaced()).isEqualTo(10);
    assertThat(copies.maskedWords()).isZero();
  }

  @Test
  void changesEveryCopyOfSingleText() {
    SourceRow single = new SourceRow("rows.tsv:0", "he not", null, "1");

    assertThat(augmenter.of(List.of(single)).get(0).texts())
        .hasSize(3)
        .containsOnly(new Augmentation.Texts("[MASK] [MASK]", null));
  }
}

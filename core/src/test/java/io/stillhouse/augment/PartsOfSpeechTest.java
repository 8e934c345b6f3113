package io.stillhouse.augment;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class PartsOfSpeechTest {
  private final PartsOfSpeech partsOfSpeech = PartsOfSpeech.english();

  @Test
  void tagsEnglishSentence() {
    assertThat(
            partsOfSpeech.tags(List.of("The", "old", "dog", "quickly", "chased", "a", "cat", ".")))
        .containsExactly("DET", "ADJ", "NOUN", "ADV", "VERB", "DET", "NOUN", "PUNCT");
  }

  @Test
  void tagsWordByItsContext() {
    assertThat(partsOfSpeech.tags(List.of("They", "run", "home"))).element(1).isEqualTo("VERB");
    assertThat(partsOfSpeech.tags(List.of("It", "was", "a", "long", "run", ".")))
        .element(4)
        .isEqualTo("NOUN");
  }

  @Test
  void sentenceWithoutWordsHasNoTags() {
    assertThat(partsOfSpeech.tags(List.of())).isEmpty();
  }
}

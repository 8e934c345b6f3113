package io.stillhouse.augment;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class WordSplitTest {
  @Test
  void splitsAtWhiteSpaceAndStripsPunctuation() {
    assertThat(words(" \"Well-made\", he  said: 3.5 stars...\n"))
        .containsExactly("\"", "Well-made", "\"", ",", "he", "said", ":", "3.5", "stars", "...");
  }

  @Test
  void keepsContractionsAndPunctuationRuns() {
    assertThat(words("don't haul 'em -- it 's the 90’s"))
        .containsExactly("don't", "haul", "'em", "--", "it", "'s", "the", "90’s");
  }

  @Test
  void treatsMaskAsOneWord() {
    assertThat(words("a [MASK], [MASK][MASK] b"))
        .containsExactly("a", "[MASK]", ",", "[MASK]", "[MASK]", "b");
  }

  @Test
  void handlesSurrogatePairs() {
    assertThat(words("so \uD83D\uDE00\uD83D\uDE00! \uD835\uDC9Cb?"))
        .containsExactly("so", "\uD83D\uDE00\uD83D\uDE00", "!", "\uD835\uDC9Cb", "?");
  }

  @Test
  void findsNoWordsInBlankText() {
    assertThat(words(" \t")).isEmpty();
    assertThat(words("")).isEmpty();
  }

  private static List<String> words(String text) {
    return WordSplit.of(text).stream().map(word -> word.of(text)).toList();
  }
}

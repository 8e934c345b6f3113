package io.stillhouse.augment;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.text.ToyTokenizer;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReplaceableWordsTest {
  private static final ReplaceableWords KEPT = new ReplaceableWords(ReplaceableWords.Stops.KEPT);
  private static final ReplaceableWords REPLACED =
      new ReplaceableWords(ReplaceableWords.Stops.REPLACED);

  @Test
  void doesNotReplacePunctuationAndNumbers() {
    assertThat(words(REPLACED, "the 2 films -- both3 good , très bien !"))
        .containsExactly("the", "films", "good", "très", "bien");
  }

  @Test
  void doesNotReplaceKeptStopWords() {
    assertThat(words(KEPT, "The films don't seem Very good"))
        .containsExactly("films", "seem", "good");
  }

  @Test
  void wordIncludesAllItsTokens() {
    String text = "dull boilerplate";
    assertThat(KEPT.in(ToyTokenizer.encode(text), text))
        .containsExactly(
            new ReplaceableWords.Found(new Span(0, 4), 0, 2),
            new ReplaceableWords.Found(new Span(5, 16), 2, 4));
    assertThat(ReplaceableWords.count(ToyTokenizer.encode(text + " ! 7"))).isEqualTo(4);
    assertThat(ReplaceableWords.count(ToyTokenizer.encode(""))).isZero();
  }

  @Test
  void candidatesAreWholeWords() {
    assertThat(
            List.of(
                "film", "##ing", "[MASK]", "[unused7]", "7", ".", "é", "ᄎ", "b", "the", "a", "影"))
        .filteredOn(REPLACED::mayReplace)
        .containsExactly("film", "the", "a", "影");
    assertThat(List.of("film", "the", "a", "影"))
        .filteredOn(KEPT::mayReplace)
        .containsExactly("film", "影");
  }

  private static List<String> words(ReplaceableWords replaceable, String text) {
    return replaceable.in(ToyTokenizer.encode(text), text).stream()
        .map(found -> found.span().of(text))
        .toList();
  }
}

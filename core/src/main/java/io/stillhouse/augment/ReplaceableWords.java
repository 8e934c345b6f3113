package io.stillhouse.augment;

import io.stillhouse.text.Encoded;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The words of a tokenised text that another may take the place of: those of letters alone.
 * Punctuation and numbers stay, since the likeliest words in their place are punctuation and
 * numbers again.
 */
public final class ReplaceableWords {
  private static final Set<String> LETTERS = Set.of("a", "i");

  private final Stops stops;

  /** What becomes of English stop words. */
  public enum Stops {
    /**
     * They stay, as in TinyBERT's released code, which halves the words to compute; and they take
     * no word's place, which the code does not ask for: a phrase without a full stop would often go
     * on with one.
     */
    KEPT,
    /** They are words like others, as in the paper's Algorithm 1. */
    REPLACED
  }

  /**
   * A word with its tokens.
   *
   * @param span where it stands in the text
   * @param firstToken the first of its tokens
   * @param tokens how many it has
   */
  public record Found(Span span, int firstToken, int tokens) {}

  public ReplaceableWords(Stops stops) {
    this.stops = stops;
  }

  /** Returns whether a text is a word of letters alone. */
  static boolean isWord(String text) {
    return !text.isEmpty() && text.codePoints().allMatch(Character::isLetter);
  }

  /**
   * Returns whether a token of a vocabulary may take a word's place. Pieces, special and unused
   * tokens are not of letters alone; a letter by itself is a word only as English or Chinese has
   * it.
   */
  public boolean mayReplace(String token) {
    if (!isWord(token) || stops == Stops.KEPT && StopWords.contain(token)) {
      return false;
    }
    return token.codePointCount(0, token.length()) > 1
        || LETTERS.contains(token.toLowerCase(Locale.ROOT))
        || Character.isIdeographic(token.codePointAt(0));
  }

  /** Returns how many words a tokenised text has, those of other characters included. */
  public static int count(Encoded encoded) {
    int[] words = encoded.words();
    int count = 0;
    for (int token = 0; token < words.length; token++) {
      count += token == 0 || words[token] != words[token - 1] ? 1 : 0;
    }
    return count;
  }

  /**
   * Returns the words that may be replaced, in order.
   *
   * @param encoded the tokens of {@code text}
   */
  public List<Found> in(Encoded encoded, String text) {
    List<Found> found = new ArrayList<>();
    int[] words = encoded.words();
    for (int first = 0; first < words.length; ) {
      int end = first + 1;
      while (end < words.length && words[end] == words[first]) {
        end++;
      }
      Span span = new Span(encoded.starts()[first], encoded.ends()[end - 1]);
      String word = span.of(text);
      if (isWord(word) && !(stops == Stops.KEPT && StopWords.contain(word))) {
        found.add(new Found(span, first, end - first));
      }
      first = end;
    }
    return found;
  }
}

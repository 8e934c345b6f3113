package io.stillhouse.augment;

import io.stillhouse.text.Encoded;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Finds the words of a tokenized text that may be replaced: words that consist of letters only.
 * Punctuation and numbers are not replaced, because a masked LM would predict punctuation and
 * numbers in their place.
 */
public final class ReplaceableWords {
  private static final Set<String> LETTERS = Set.of("a", "i");

  private final Stops stops;

  /** How English stop words are treated. */
  public enum Stops {
    /**
     * Stop words are never replaced, as in TinyBERT's released code; this halves the number of
     * words to compute. Unlike in that code, they are never used as replacements either: in a
     * phrase without a period, the model often predicts a word that continues the phrase.
     */
    KEPT,
    /** Stop words are treated like other words, as in the paper's Algorithm 1. */
    REPLACED
  }

  /**
   * A word with its tokens.
   *
   * @param span its char range in the text
   * @param firstToken index of its first token
   * @param tokens number of its tokens
   */
  public record Found(Span span, int firstToken, int tokens) {}

  public ReplaceableWords(Stops stops) {
    this.stops = stops;
  }

  /** Returns whether a text is not empty and consists of letters only. */
  static boolean isWord(String text) {
    return !text.isEmpty() && text.codePoints().allMatch(Character::isLetter);
  }

  /**
   * Returns whether a token of a vocabulary may replace a word. Continuation pieces, special tokens
   * and unused tokens do not consist of letters only and are refused. A single letter is accepted
   * only if it is an English word or an ideograph.
   */
  public boolean mayReplace(String token) {
    if (!isWord(token) || (stops == Stops.KEPT && StopWords.contain(token))) {
      return false;
    }
    return token.codePointCount(0, token.length()) > 1
        || LETTERS.contains(token.toLowerCase(Locale.ROOT))
        || Character.isIdeographic(token.codePointAt(0));
  }

  /** Returns the number of words in a tokenized text, including those that may not be replaced. */
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

package io.stillhouse.augment;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The char range of a word in a text.
 *
 * @param start index of the first char
 * @param end index after the last char
 */
public record Span(int start, int end) {

  /** Returns the word. */
  public String of(String text) {
    return text.substring(start, end);
  }

  /**
   * Returns the part of a text from the first to the last of the given words, with some of the
   * words replaced. The text between words is unchanged.
   *
   * @param words in order, without overlap; at least one
   * @param replacements one for each of {@code words}; null leaves the word unchanged
   */
  static String replace(String text, List<Span> words, List<@Nullable String> replacements) {
    StringBuilder out = new StringBuilder();
    int at = words.get(0).start();
    for (int i = 0; i < words.size(); i++) {
      String replacement = replacements.get(i);
      if (replacement != null) {
        out.append(text, at, words.get(i).start()).append(replacement);
        at = words.get(i).end();
      }
    }
    return out.append(text, at, words.get(words.size() - 1).end()).toString();
  }
}

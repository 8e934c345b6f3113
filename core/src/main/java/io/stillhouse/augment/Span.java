package io.stillhouse.augment;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Where a word stands in a text, in UTF-16 code units; {@code end} is exclusive. */
public record Span(int start, int end) {

  /** Returns the word. */
  public String of(String text) {
    return text.substring(start, end);
  }

  /**
   * Returns the part of a text from the first to the last of some words, with other words in the
   * place of some; all between the words stays.
   *
   * @param words in order, without overlap; at least one
   * @param replacements a word or null for each of {@code words}
   */
  public static String replaced(
      String text, List<Span> words, List<@Nullable String> replacements) {
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

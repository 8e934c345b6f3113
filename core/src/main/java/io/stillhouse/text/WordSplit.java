package io.stillhouse.text;

import java.util.ArrayList;
import java.util.List;

/**
 * Splits a text into words as a tagger of parts of speech takes them: at white space, and
 * punctuation at either end of that apart, character by character. What stands inside a word stays
 * ({@code don't}, {@code 3.5}, {@code well-made}); {@code [MASK]} is one word.
 */
public final class WordSplit {
  private WordSplit() {}

  /** Returns the words in order; none of a blank text. */
  public static List<Span> of(String text) {
    List<Span> words = new ArrayList<>();
    int at = 0;
    while (at < text.length()) {
      int codePoint = text.codePointAt(at);
      if (Character.isWhitespace(codePoint)) {
        at += Character.charCount(codePoint);
        continue;
      }
      int end = at;
      while (end < text.length() && !Character.isWhitespace(text.codePointAt(end))) {
        end += Character.charCount(text.codePointAt(end));
      }
      add(text, at, end, words);
      at = end;
    }
    return words;
  }

  private static void add(String text, int from, int to, List<Span> words) {
    int start = from;
    int end = to;
    while (start < to && !inWord(text, start) && !text.startsWith(Tokenizer.MASK, start)) {
      int next = text.offsetByCodePoints(start, 1);
      words.add(new Span(start, next));
      start = next;
    }
    if (text.startsWith(Tokenizer.MASK, start) && start < to) {
      words.add(new Span(start, start + Tokenizer.MASK.length()));
      add(text, start + Tokenizer.MASK.length(), to, words);
      return;
    }
    while (end > start && !inWord(text, text.offsetByCodePoints(end, -1))) {
      end = text.offsetByCodePoints(end, -1);
    }
    if (end > start) {
      words.add(new Span(start, end));
    }
    for (int at = end; at < to; at = text.offsetByCodePoints(at, 1)) {
      words.add(new Span(at, text.offsetByCodePoints(at, 1)));
    }
  }

  private static boolean inWord(String text, int at) {
    return Character.isLetterOrDigit(text.codePointAt(at));
  }
}

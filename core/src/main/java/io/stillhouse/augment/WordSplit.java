package io.stillhouse.augment;

import io.stillhouse.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;

/**
 * Splits a text into words as a part-of-speech tagger expects them. Words are separated by white
 * space; punctuation at either end of a word is split off, with runs of one character kept together
 * ({@code --}). Punctuation inside a word ({@code don't}, {@code 3.5}, {@code well-made}) and a
 * leading apostrophe ({@code 's}) belong to the word, and {@code [MASK]} is one word.
 */
public final class WordSplit {
  private WordSplit() {}

  /** Returns the words in order; a blank text has none. */
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
    while (start < to && !beginsWord(text, start, to)) {
      int next =
          text.startsWith(Tokenizer.MASK, start)
              ? start + Tokenizer.MASK.length()
              : endOfRun(text, start, to);
      words.add(new Span(start, next));
      start = next;
    }
    int end = to;
    while (end > start && !inWord(text, text.offsetByCodePoints(end, -1))) {
      end = text.offsetByCodePoints(end, -1);
    }
    if (end > start) {
      words.add(new Span(start, end));
    }
    for (int at = Math.max(start, end); at < to; at = endOfRun(text, at, to)) {
      words.add(new Span(at, endOfRun(text, at, to)));
    }
  }

  private static int endOfRun(String text, int from, int to) {
    int codePoint = text.codePointAt(from);
    int end = from;
    while (end < to && text.codePointAt(end) == codePoint) {
      end += Character.charCount(codePoint);
    }
    return end;
  }

  private static boolean beginsWord(String text, int at, int to) {
    char first = text.charAt(at);
    boolean apostrophe = first == '\'' || first == '\u2019';
    return inWord(text, at) || (apostrophe && at + 1 < to && inWord(text, at + 1));
  }

  private static boolean inWord(String text, int at) {
    return Character.isLetterOrDigit(text.codePointAt(at));
  }
}

package io.stillhouse.text;

import java.util.ArrayList;
import java.util.List;

/**
 * Letters and digits in a row are a word, cut into pieces of three characters; any other character
 * is a word of its own; white space is nothing. A token's id is its characters' hash.
 */
public final class ToyTokenizer {
  private static final int PIECE = 3;

  private ToyTokenizer() {}

  public static Encoded encode(String text) {
    List<int[]> tokens = new ArrayList<>();
    int word = -1;
    int at = 0;
    while (at < text.length()) {
      int codePoint = text.codePointAt(at);
      int end = at + Character.charCount(codePoint);
      if (Character.isWhitespace(codePoint)) {
        at = end;
        continue;
      }
      word++;
      if (!Character.isLetterOrDigit(codePoint)) {
        tokens.add(token(text, at, end, word));
        at = end;
        continue;
      }
      while (at < text.length() && Character.isLetterOrDigit(text.codePointAt(at))) {
        int start = at;
        for (int i = 0;
            i < PIECE && at < text.length() && Character.isLetterOrDigit(text.codePointAt(at));
            i++) {
          at += Character.charCount(text.codePointAt(at));
        }
        tokens.add(token(text, start, at, word));
      }
    }
    return new Encoded(column(tokens, 0), column(tokens, 1), column(tokens, 2), column(tokens, 3));
  }

  private static int[] token(String text, int start, int end, int word) {
    return new int[] {text.substring(start, end).hashCode() & 0xfffff, start, end, word};
  }

  private static int[] column(List<int[]> tokens, int index) {
    return tokens.stream().mapToInt(token -> token[index]).toArray();
  }
}

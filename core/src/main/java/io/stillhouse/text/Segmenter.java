package io.stillhouse.text;

import java.text.BreakIterator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Cuts a tokenized text into pieces that fit a model.
 *
 * <p>Pieces are slices of the encoding of the whole text; they are not tokenized again. The text is
 * cut where a token begins: after white space if possible, otherwise between the tokenizer's words,
 * otherwise within a word. White space between two pieces belongs to the first. Unless pieces are
 * truncated, concatenating their texts gives the original text.
 */
public final class Segmenter {
  /** [CLS] and [SEP]. */
  private static final int SPECIAL_TOKENS = 2;

  /**
   * Titles that are followed by a period and a name; {@link BreakIterator} would end the sentence
   * there.
   */
  private static final Set<String> TITLES =
      Set.of(
          "Mr", "Mrs", "Ms", "Messrs", "Mme", "Mlle", "Dr", "Prof", "St", "Rev", "Hon", "Capt",
          "Col", "Gen", "Lt", "Maj", "Sgt");

  /** What a piece contains. */
  public enum Mode {
    /** The whole row. */
    ROW,
    /**
     * A sentence as found by {@link BreakIterator} for English, except that titles do not end one.
     */
    SENTENCES,
    /** As many whole words as fit. */
    WINDOWS
  }

  /** What happens to a row or sentence that does not fit. */
  public enum TooLong {
    /** The tokens beyond the maximum are dropped, as Hugging Face's tokenizers do. */
    TRUNCATE,
    /** It is split into pieces of as many whole words as fit. */
    SPLIT
  }

  private final Mode mode;
  private final TooLong tooLong;
  private final int capacity;

  /**
   * Creates a segmenter.
   *
   * @param maxLength maximum number of tokens of a piece, including [CLS] and [SEP]; at least 3
   */
  public Segmenter(Mode mode, TooLong tooLong, int maxLength) {
    if (maxLength <= SPECIAL_TOKENS) {
      throw new IllegalArgumentException("maxLength must be at least 3, but is " + maxLength);
    }
    this.mode = mode;
    this.tooLong = tooLong;
    this.capacity = maxLength - SPECIAL_TOKENS;
  }

  /**
   * Returns the pieces of a text in order. A text without tokens, such as a blank one, has no
   * pieces.
   *
   * @param encoded the tokens of {@code text}
   */
  public List<Segment> segment(Encoded encoded, String text) {
    int tokens = encoded.ids().length;
    if (tokens == 0) {
      return List.of();
    }
    int[] cuts = mode == Mode.SENTENCES ? sentenceStarts(encoded, text) : new int[] {0};
    List<Segment> pieces = new ArrayList<>();
    for (int i = 0; i < cuts.length; i++) {
      int end = i + 1 < cuts.length ? cuts[i + 1] : tokens;
      if (mode != Mode.WINDOWS && tooLong == TooLong.TRUNCATE && end - cuts[i] > capacity) {
        pieces.add(truncated(encoded, text, cuts[i]));
      } else {
        split(encoded, text, cuts[i], end, pieces);
      }
    }
    return pieces;
  }

  /**
   * Returns the index of the first token of each sentence. A sentence without tokens is merged into
   * the one before.
   */
  private static int[] sentenceStarts(Encoded encoded, String text) {
    BreakIterator sentences = BreakIterator.getSentenceInstance(Locale.ENGLISH);
    sentences.setText(text);
    int[] firstTokens = new int[encoded.ids().length];
    int count = 0;
    int boundary = 0;
    for (int token = 0; token < encoded.ids().length; token++) {
      if (token == 0 || (encoded.starts()[token] >= boundary && beginsWord(encoded, token))) {
        firstTokens[count++] = token;
        while (boundary != BreakIterator.DONE && boundary <= encoded.starts()[token]) {
          boundary = nextBoundary(sentences, text);
        }
        if (boundary == BreakIterator.DONE) {
          break;
        }
      }
    }
    return Arrays.copyOf(firstTokens, count);
  }

  private static int nextBoundary(BreakIterator sentences, String text) {
    int boundary = sentences.next();
    while (boundary != BreakIterator.DONE && followsTitle(text, boundary)) {
      boundary = sentences.next();
    }
    return boundary;
  }

  /**
   * Returns whether the text before {@code place} ends in a title such as "Mr. " or an initial such
   * as "J. ".
   */
  private static boolean followsTitle(String text, int place) {
    int end = place;
    while (end > 0 && Character.isWhitespace(text.charAt(end - 1))) {
      end--;
    }
    if (end == 0 || text.charAt(end - 1) != '.') {
      return false;
    }
    end--;
    int start = end;
    while (start > 0 && Character.isLetter(text.charAt(start - 1))) {
      start--;
    }
    String word = text.substring(start, end);
    return TITLES.contains(word)
        || (word.length() == 1 && Character.isUpperCase(word.charAt(0)) && !word.equals("I"));
  }

  private void split(Encoded encoded, String text, int from, int to, List<Segment> pieces) {
    int start = from;
    while (start < to) {
      int end = windowEnd(encoded, start, to);
      pieces.add(piece(encoded, text, start, end, cutBefore(encoded, text, end)));
      start = end;
    }
  }

  /**
   * Returns the end of the longest piece from {@code start} that fits, if possible without cutting
   * a word.
   */
  private int windowEnd(Encoded encoded, int start, int to) {
    if (to - start <= capacity) {
      return to;
    }
    int full = start + capacity;
    for (int end = full; end > start; end--) {
      if (encoded.starts()[end] > encoded.ends()[end - 1]) {
        return end;
      }
    }
    for (int end = full; end > start; end--) {
      // Without white space, cut between the tokenizer's words, which end at punctuation and
      // between Chinese characters.
      if (beginsWord(encoded, end)) {
        return end;
      }
    }
    for (int end = full; end > start; end--) {
      // A character that decomposes can give several tokens; keep them together.
      if (encoded.starts()[end] > encoded.starts()[end - 1]) {
        return end;
      }
    }
    return full;
  }

  private Segment truncated(Encoded encoded, String text, int from) {
    int end = from + capacity;
    return piece(encoded, text, from, end, encoded.ends()[end - 1]);
  }

  private static Segment piece(Encoded encoded, String text, int from, int to, int textEnd) {
    return new Segment(
        text.substring(cutBefore(encoded, text, from), textEnd),
        Arrays.copyOfRange(encoded.ids(), from, to));
  }

  /** Returns the char index at which to cut the text before a token. */
  private static int cutBefore(Encoded encoded, String text, int token) {
    if (token == 0) {
      return 0;
    }
    return token == encoded.ids().length ? text.length() : encoded.starts()[token];
  }

  private static boolean beginsWord(Encoded encoded, int token) {
    return encoded.words()[token] != encoded.words()[token - 1];
  }
}

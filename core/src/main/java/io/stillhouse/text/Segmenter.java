package io.stillhouse.text;

import java.text.BreakIterator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Cuts a tokenised text into pieces that fit a model.
 *
 * <p>Pieces are slices of the whole text's encoding, not tokenised again. A cut lies where a token
 * begins: after white space if possible, else between the tokenizer's words, else between pieces of
 * a word. White space between two pieces stays with the first. Unless pieces are truncated, their
 * texts joined are the text, character for character.
 */
public final class Segmenter {
  /** [CLS] and [SEP]. */
  private static final int SPECIAL_TOKENS = 2;

  /**
   * After these and a full stop a name follows, which {@link BreakIterator} takes for a sentence.
   */
  private static final Set<String> TITLES =
      Set.of(
          "Mr", "Mrs", "Ms", "Messrs", "Mme", "Mlle", "Dr", "Prof", "St", "Rev", "Hon", "Capt",
          "Col", "Gen", "Lt", "Maj", "Sgt");

  /** What one piece is. */
  public enum Mode {
    /** The whole row. */
    ROW,
    /** A sentence, as {@link BreakIterator} finds them in English, but not ended by a title. */
    SENTENCES,
    /** As many whole words as fit; never too long. */
    WINDOWS
  }

  /** What happens to a row or sentence that does not fit. */
  public enum TooLong {
    /** The tokens beyond the maximum are dropped, as Hugging Face's tokenizers do. */
    TRUNCATE,
    /** It becomes several pieces, each of as many whole words as fit. */
    SPLIT
  }

  private final Mode mode;
  private final TooLong tooLong;
  private final int capacity;

  /**
   * Makes a segmenter.
   *
   * @param maxLength the most tokens of a piece, [CLS] and [SEP] included; at least 3
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
   * Returns the pieces of a text in order; none if it has no token, as a blank one.
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

  /** Returns the token that each sentence starts with; a sentence without tokens joins the last. */
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

  /** Returns whether "Mr. " or an initial such as "J. " stands before a place in the text. */
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
   * Returns the end of the longest piece from {@code start} that fits and cuts no word if it can.
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
      // No white space: a tokenizer's words are also cut at punctuation and in Chinese.
      if (beginsWord(encoded, end)) {
        return end;
      }
    }
    for (int end = full; end > start; end--) {
      // One character may give several tokens: its decomposed parts.
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

  /** Returns where the text is cut if a piece starts with this token. */
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

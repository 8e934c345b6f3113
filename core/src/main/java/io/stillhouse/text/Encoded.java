package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

/**
 * A tokenized text without special tokens. Each array has one entry per token. The arrays are not
 * copied, so callers must not modify them.
 */
public final class Encoded {
  private final int[] ids;
  private final int[] starts;
  private final int[] ends;
  private final int[] words;

  /**
   * Wraps arrays of equal length.
   *
   * @param ids token ids
   * @param starts the char index in the text at which each token begins
   * @param ends the char index after the last char of each token
   * @param words the index of the word that each token belongs to, in ascending order; -1 if none
   */
  Encoded(int[] ids, int[] starts, int[] ends, int[] words) {
    if (starts.length != ids.length || ends.length != ids.length || words.length != ids.length) {
      throw new IllegalArgumentException(
          format(
              "ids, starts, ends and words have lengths %d, %d, %d and %d",
              ids.length, starts.length, ends.length, words.length));
    }
    this.ids = ids;
    this.starts = starts;
    this.ends = ends;
    this.words = words;
  }

  /** Returns the number of tokens. */
  int length() {
    return ids.length;
  }

  /** Returns the id of each token. */
  public int[] ids() {
    return ids;
  }

  /** Returns the char index in the text at which each token begins. */
  public int[] starts() {
    return starts;
  }

  /** Returns the char index after the last char of each token. */
  public int[] ends() {
    return ends;
  }

  /** Returns the index of the word that each token belongs to, -1 if none. */
  public int[] words() {
    return words;
  }
}

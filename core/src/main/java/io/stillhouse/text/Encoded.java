package io.stillhouse.text;

/**
 * A tokenised text without special tokens: one entry per token in each array. The arrays are not
 * copied; whoever holds one must not write into it.
 */
public final class Encoded {
  private final int[] ids;
  private final int[] starts;
  private final int[] ends;
  private final int[] words;

  /**
   * Wraps the arrays, which have equal lengths.
   *
   * @param ids token ids
   * @param starts where each token begins in the text, in UTF-16 code units
   * @param ends where each token ends, exclusive, in UTF-16 code units
   * @param words the index of the word that each token is a piece of, never falling; -1 if none
   */
  Encoded(int[] ids, int[] starts, int[] ends, int[] words) {
    if (starts.length != ids.length || ends.length != ids.length || words.length != ids.length) {
      throw new IllegalArgumentException(
          "ids, starts, ends and words have lengths %d, %d, %d and %d"
              .formatted(ids.length, starts.length, ends.length, words.length));
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

  public int[] ids() {
    return ids;
  }

  public int[] starts() {
    return starts;
  }

  public int[] ends() {
    return ends;
  }

  public int[] words() {
    return words;
  }
}

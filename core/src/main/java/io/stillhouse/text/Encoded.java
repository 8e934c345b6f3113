package io.stillhouse.text;

/**
 * The tokens of one text, without special tokens, whole. The arrays are parallel, one entry per
 * token, and handed over without copying: nobody may change them.
 */
public final class Encoded {
  private final int[] ids;
  private final int[] starts;
  private final int[] ends;
  private final int[] words;

  /**
   * Holds the tokens of one text.
   *
   * @param ids token ids
   * @param starts where each token starts in the text, in Java chars (UTF-16 units)
   * @param ends where each token ends, exclusive
   * @param words the index of the word that each token belongs to, -1 if none; never falling
   */
  public Encoded(int[] ids, int[] starts, int[] ends, int[] words) {
    if (starts.length != ids.length || ends.length != ids.length || words.length != ids.length) {
      throw new IllegalArgumentException(
          "%d ids, %d starts, %d ends and %d words"
              .formatted(ids.length, starts.length, ends.length, words.length));
    }
    this.ids = ids;
    this.starts = starts;
    this.ends = ends;
    this.words = words;
  }

  /** Returns the number of tokens. */
  public int length() {
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

package io.stillhouse.text;

/** A piece of a text with its tokens. The array is not copied and must not be modified. */
public final class Segment {
  private final String text;
  private final int[] ids;

  Segment(String text, int[] ids) {
    this.text = text;
    this.ids = ids;
  }

  /** Returns the text of the piece, including white space. */
  public String text() {
    return text;
  }

  /** Returns the token ids of the piece, without special tokens. */
  public int[] ids() {
    return ids;
  }
}

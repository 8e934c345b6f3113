package io.stillhouse.text;

/** A piece of a text with its tokens; the array is not copied and must not be written into. */
public final class Segment {
  private final String text;
  private final int[] ids;

  Segment(String text, int[] ids) {
    this.text = text;
    this.ids = ids;
  }

  /** Returns the piece's part of the text, white space included. */
  public String text() {
    return text;
  }

  /** Returns the piece's part of the text's encoding, without special tokens. */
  public int[] ids() {
    return ids;
  }
}

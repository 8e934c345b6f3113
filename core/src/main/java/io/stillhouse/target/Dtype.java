package io.stillhouse.target;

import java.util.Locale;

/** How the numbers of a cell are stored: little-endian, row-major, without padding. */
public enum Dtype {
  FLOAT32(4),
  FLOAT16(2);

  private final int bytes;

  Dtype(int bytes) {
    this.bytes = bytes;
  }

  /** Returns the bytes of one number. */
  public int bytes() {
    return bytes;
  }

  /** Returns the name written into a file's metadata and a recipe. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Reads {@link #id()}. */
  public static Dtype of(String id) {
    return valueOf(id.toUpperCase(Locale.ROOT));
  }
}

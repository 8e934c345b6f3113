package io.stillhouse.target;

import java.util.Locale;

/** How the numbers of a cell are stored: little-endian, row-major, without padding. */
public enum Dtype {
  FLOAT32(4),
  FLOAT16(2),
  /** Bytes with a scale for each line of a cell, and its largest apart: see {@link Int8}. */
  INT8(1);

  private final int bytes;

  Dtype(int bytes) {
    this.bytes = bytes;
  }

  /** Returns the bytes of one number, the overhead of {@link #INT8} not counted. */
  public int bytes() {
    return bytes;
  }

  /**
   * Returns the bytes of a cell.
   *
   * @param lines the product of all dimensions but the last: tokens, or heads x queries
   * @param width the last dimension
   */
  public int bytes(int lines, int width) {
    int overhead = this == INT8 ? Int8.overhead(width) : 0;
    return Math.multiplyExact(lines, Math.multiplyExact(width, bytes) + overhead);
  }

  /** Returns the width of a cell's lines: the inverse of {@link #bytes(int, int)}. */
  public int width(int cellBytes, int lines) {
    int width = cellBytes / lines / bytes;
    while (this == INT8 && width > 0 && bytes(lines, width) > cellBytes) {
      width--; // a line's overhead is a few dozen bytes
    }
    if (width <= 0 || bytes(lines, width) != cellBytes) {
      throw new IllegalArgumentException(
          "a %s cell of %d lines cannot have %d bytes".formatted(id(), lines, cellBytes));
    }
    return width;
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

package io.stillhouse.target;

import static io.stillhouse.error.Text.format;

import java.util.Locale;

/** The storage type of a cell's numbers, which are little-endian, row-major and without padding. */
public enum Dtype {
  FLOAT32(4),
  FLOAT16(2),
  /** Bytes with one scale per line of a cell, and outliers in float32: see {@link Int8}. */
  INT8(1);

  private final int bytes;

  Dtype(int bytes) {
    this.bytes = bytes;
  }

  /** Returns the number of bytes per number, without the overhead of {@link #INT8}. */
  public int bytes() {
    return bytes;
  }

  /**
   * Returns the number of bytes of a cell.
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
          format("a %s cell of %d lines cannot have %d bytes", id(), lines, cellBytes));
    }
    return width;
  }

  /** Returns the name in the metadata of files and in recipes. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Returns the dtype with an {@link #id}. */
  public static Dtype of(String id) {
    return valueOf(id.toUpperCase(Locale.ROOT));
  }
}

package io.stillhouse.target;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * Symmetric 8-bit numbers with one scale per line: a token of a hidden state, or a query of a head.
 * The few largest numbers of a line, its outliers, are stored in float32: a hidden state of BERT
 * has two or three dimensions that are ten times as large as the others, and a scale that covers
 * them would cause an error of 3% in the others.
 *
 * <p>A cell contains, little-endian: the scale of every line, float32; the values of every line's
 * outliers, float32; their positions, two bytes each, unsigned (four if a line is wider than
 * 65,536); the bytes of the lines, with 0 at the positions of outliers. A number is the scale of
 * its line times its byte.
 */
public final class Int8 {
  private static final int MAX = 127;
  private static final int MAX_OUTLIERS = 4;
  private static final int WIDTH_PER_OUTLIER = 128;

  private Int8() {}

  /**
   * Returns the number of outliers of a line; none for a short line, where they would cost too
   * much.
   */
  static int outliers(int width) {
    return Math.min(MAX_OUTLIERS, width / WIDTH_PER_OUTLIER);
  }

  private static int positionBytes(int width) {
    return width > 1 << Short.SIZE ? Integer.BYTES : Short.BYTES;
  }

  /** Returns the bytes of a line in addition to one per number; never decreases with the width. */
  static int overhead(int width) {
    return Float.BYTES + outliers(width) * (Float.BYTES + positionBytes(width));
  }

  /** Quantizes {@code lines} lines of {@code width} numbers, from the buffer's position. */
  public static byte[] encode(FloatBuffer numbers, int lines, int width) {
    byte[] cell = new byte[Dtype.INT8.bytes(lines, width)];
    Layout layout = new Layout(ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN), lines, width);
    float[] line = new float[width];
    int at = layout.bytes(0);
    for (int l = 0; l < lines; l++) {
      numbers.get(line);
      takeLargest(line, layout, l);
      float largest = 0;
      for (float number : line) {
        largest = Math.max(largest, Math.abs(number));
      }
      float scale = largest / MAX;
      float inverse = scale == 0 ? 0 : 1 / scale;
      // The smallest scales have no finite inverse; readers get zeros for such a line.
      layout.cell().putFloat(layout.scale(l), Float.isFinite(inverse) ? scale : 0);
      for (float number : line) {
        cell[at++] = (byte) (Float.isFinite(inverse) ? Math.round(number * inverse) : 0);
      }
    }
    return cell;
  }

  /** Moves the outliers of a line into the cell; of equal numbers, the first. */
  private static void takeLargest(float[] line, Layout layout, int l) {
    int outliers = outliers(line.length);
    int[] positions = new int[outliers];
    float[] sizes = new float[outliers];
    for (int i = 0; i < line.length && outliers > 0; i++) {
      float size = Math.abs(line[i]);
      int place = outliers;
      while (place > 0 && size > sizes[place - 1]) {
        place--;
      }
      if (place < outliers) {
        System.arraycopy(sizes, place, sizes, place + 1, outliers - place - 1);
        System.arraycopy(positions, place, positions, place + 1, outliers - place - 1);
        sizes[place] = size;
        positions[place] = i;
      }
    }
    for (int a = 0; a < outliers; a++) {
      layout.put(l, a, positions[a], line[positions[a]]);
      line[positions[a]] = 0;
    }
  }

  /**
   * Decodes a line.
   *
   * @param cell the result of {@link #encode}
   * @param lines the number of lines of the cell
   * @param line the line to decode
   * @param into receives the numbers at its position
   */
  public static void decode(byte[] cell, int lines, int line, FloatBuffer into) {
    int width = Dtype.INT8.width(cell.length, lines);
    Layout layout = new Layout(ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN), lines, width);
    float scale = layout.cell().getFloat(layout.scale(line));
    int from = layout.bytes(line);
    int start = into.position();
    for (int i = 0; i < width; i++) {
      into.put(scale * cell[from + i]);
    }
    // Backwards, because all positions are 0 if every number of a line is 0.
    for (int a = outliers(width) - 1; a >= 0; a--) {
      into.put(start + layout.position(line, a), layout.value(line, a));
    }
  }

  /** The offsets of the parts of a cell. */
  private record Layout(ByteBuffer cell, int lines, int width) {
    int scale(int line) {
      return Float.BYTES * line;
    }

    private int valueAt(int line, int a) {
      return Float.BYTES * (lines + line * outliers(width) + a);
    }

    private int positionAt(int line, int a) {
      return valueAt(lines, 0) + positionBytes(width) * (line * outliers(width) + a);
    }

    int bytes(int line) {
      return overhead(width) * lines + width * line;
    }

    void put(int line, int a, int position, float value) {
      cell.putFloat(valueAt(line, a), value);
      if (positionBytes(width) == Short.BYTES) {
        cell.putShort(positionAt(line, a), (short) position);
      } else {
        cell.putInt(positionAt(line, a), position);
      }
    }

    float value(int line, int a) {
      return cell.getFloat(valueAt(line, a));
    }

    int position(int line, int a) {
      return positionBytes(width) == Short.BYTES
          ? Short.toUnsignedInt(cell.getShort(positionAt(line, a)))
          : cell.getInt(positionAt(line, a));
    }
  }
}

package io.stillhouse.target;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * Symmetric 8-bit numbers with a scale for each line: a token of a hidden state, or one query of
 * one head. A line's few largest numbers are kept apart, in float32: a hidden state of BERT has two
 * or three dimensions ten times the others, which would stretch the scale until the others are 3 %
 * off.
 *
 * <p>A cell holds, little-endian: the scale of every line, float32; the values of every line's
 * largest, float32; their positions, two bytes each, unsigned (four where a line is wider than
 * 65,536); then the lines' bytes, 0 where a largest was. A number is its line's scale times its
 * byte.
 */
public final class Int8 {
  private static final int LARGEST = 127;
  private static final int MOST_APART = 4;
  private static final int WIDTH_FOR_EACH_APART = 128;

  private Int8() {}

  /** Returns how many numbers of a line are kept apart: none of a short one, it would not pay. */
  static int apart(int width) {
    return Math.min(MOST_APART, width / WIDTH_FOR_EACH_APART);
  }

  private static int positionBytes(int width) {
    return width > 1 << Short.SIZE ? Integer.BYTES : Short.BYTES;
  }

  /** Returns the bytes of a line besides one for each number; they never fall as it widens. */
  static int overhead(int width) {
    return Float.BYTES + apart(width) * (Float.BYTES + positionBytes(width));
  }

  /** Quantises {@code lines} of {@code width} numbers, from the buffer's position on. */
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
      float scale = largest / LARGEST;
      float inverse = scale == 0 ? 0 : 1 / scale;
      // Smallest scales have no finite inverse; such a line is zero to every reader.
      layout.cell().putFloat(layout.scale(l), Float.isFinite(inverse) ? scale : 0);
      for (float number : line) {
        cell[at++] = (byte) (Float.isFinite(inverse) ? Math.round(number * inverse) : 0);
      }
    }
    return cell;
  }

  /** Moves a line's largest numbers into the cell; of equal ones the first. */
  private static void takeLargest(float[] line, Layout layout, int l) {
    int apart = apart(line.length);
    int[] positions = new int[apart];
    float[] sizes = new float[apart];
    for (int i = 0; i < line.length && apart > 0; i++) {
      float size = Math.abs(line[i]);
      int place = apart;
      while (place > 0 && size > sizes[place - 1]) {
        place--;
      }
      if (place < apart) {
        System.arraycopy(sizes, place, sizes, place + 1, apart - place - 1);
        System.arraycopy(positions, place, positions, place + 1, apart - place - 1);
        sizes[place] = size;
        positions[place] = i;
      }
    }
    for (int a = 0; a < apart; a++) {
      layout.put(l, a, positions[a], line[positions[a]]);
      line[positions[a]] = 0;
    }
  }

  /**
   * Writes a line's numbers.
   *
   * @param cell of {@link #encode}
   * @param lines of the cell
   * @param line to read
   * @param into at its position, which moves on
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
    // From the last on: where all numbers of a line are zero, every position is the first one.
    for (int a = apart(width) - 1; a >= 0; a--) {
      into.put(start + layout.position(line, a), layout.value(line, a));
    }
  }

  /** Where the parts of a cell lie. */
  private record Layout(ByteBuffer cell, int lines, int width) {
    int scale(int line) {
      return Float.BYTES * line;
    }

    private int valueAt(int line, int a) {
      return Float.BYTES * (lines + line * apart(width) + a);
    }

    private int positionAt(int line, int a) {
      return valueAt(lines, 0) + positionBytes(width) * (line * apart(width) + a);
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

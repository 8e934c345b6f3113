package io.stillhouse.target;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * Symmetric 8-bit numbers with a scale for each line: a token of a hidden state, or one query of
 * one head. A cell holds the float32 scales of all its lines, then the lines' bytes; a number is
 * its line's scale times its byte, so the largest of a line is kept to 1 in 254.
 */
public final class Int8 {
  static final int SCALE_BYTES = Float.BYTES;

  private static final int LARGEST = 127;

  private Int8() {}

  /** Quantises {@code lines} of {@code width} numbers, from the buffer's position on. */
  public static byte[] encode(FloatBuffer numbers, int lines, int width) {
    byte[] cell = new byte[Dtype.INT8.bytes(lines, width)];
    FloatBuffer scales =
        ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().limit(lines);
    float[] line = new float[width];
    int at = SCALE_BYTES * lines;
    for (int l = 0; l < lines; l++) {
      numbers.get(line);
      float largest = 0;
      for (float number : line) {
        largest = Math.max(largest, Math.abs(number));
      }
      float scale = largest / LARGEST;
      float inverse = scale == 0 ? 0 : 1 / scale;
      // Smallest scales have no finite inverse; such a line is zero to every reader.
      scales.put(Float.isFinite(inverse) ? scale : 0);
      for (float number : line) {
        cell[at++] = (byte) (Float.isFinite(inverse) ? Math.round(number * inverse) : 0);
      }
    }
    return cell;
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
    float scale = ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN).getFloat(SCALE_BYTES * line);
    int from = SCALE_BYTES * lines + line * width;
    for (int i = 0; i < width; i++) {
      into.put(scale * cell[from + i]);
    }
  }
}

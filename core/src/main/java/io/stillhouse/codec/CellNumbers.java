package io.stillhouse.codec;

import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Int8;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Float16;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.List;

/** Decodes the cells of single rows into Java arrays, without libtorch. */
public final class CellNumbers {
  private CellNumbers() {}

  /**
   * Returns the numbers of a cell, which may also be ids or counts, in row-major order.
   *
   * @param row its length and labels determine the cell's shape
   * @throws IllegalStateException if the column holds no tensor
   */
  public static double[] of(Example row, Column column) {
    if (column.type().floating()) {
      float[] floats = floats(row, column);
      double[] numbers = new double[floats.length];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = floats[i];
      }
      return numbers;
    }
    int[] integers = integers(row, column);
    double[] numbers = new double[integers.length];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = integers[i];
    }
    return numbers;
  }

  /**
   * Returns the floating-point numbers of a cell in row-major order; those of int8 cells are
   * multiplied by their scales.
   *
   * @throws IllegalStateException if the column holds other values
   */
  public static float[] floats(Example row, Column column) {
    byte[] cell = row.cell(column);
    Dtype dtype = row.dtype(column);
    int lines = lines(row, column);
    if (lines == 0) {
      return new float[0];
    }
    float[] numbers = new float[Math.multiplyExact(lines, dtype.width(cell.length, lines))];
    ByteBuffer bytes = ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN);
    switch (dtype) {
      case FLOAT32 -> bytes.asFloatBuffer().get(numbers);
      case FLOAT16 -> {
        for (int i = 0; i < numbers.length; i++) {
          numbers[i] = Float16.toFloat(bytes.getShort(Short.BYTES * i));
        }
      }
      case INT8 -> {
        FloatBuffer into = FloatBuffer.wrap(numbers);
        for (int line = 0; line < lines; line++) {
          Int8.decode(cell, lines, line, into);
        }
      }
    }
    return numbers;
  }

  /**
   * Returns the ids or counts of a cell. The ids of draws are read together with their counts.
   *
   * @throws IllegalStateException if the column holds other values
   */
  public static int[] integers(Example row, Column column) {
    byte[] cell = row.cell(column);
    int size =
        switch (column.type()) {
          case UINT8 -> 1;
          case IDS -> Integer.BYTES;
          case TOKEN_IDS -> idBytes(row, column, cell.length);
          case FLOAT32, UNSCALED, CELL, STRING, INT, DOUBLE ->
              throw new IllegalStateException(column.name() + " holds no ids or counts");
        };
    ByteBuffer bytes = ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN);
    int[] integers = new int[cell.length / size];
    for (int i = 0; i < integers.length; i++) {
      integers[i] =
          switch (size) {
            case 1 -> cell[i] & 0xff;
            case Short.BYTES -> bytes.getShort(Short.BYTES * i) & 0xffff;
            default -> bytes.getInt(Integer.BYTES * i);
          };
    }
    return integers;
  }

  /** Returns the bytes of a token id, which depend on the size of the vocabulary. */
  private static int idBytes(Example row, Column column, int cellBytes) {
    MlmTargets mlm = MlmTargets.of(column.name());
    int ids =
        mlm.kind() == MlmTargets.Kind.TOP_K
            ? lines(row, column) * mlm.count()
            : row.cell(mlm.sampleCounts()).length;
    return ids == 0 ? Short.BYTES : cellBytes / ids;
  }

  /**
   * Returns the number of lines of a cell, the product of all its dimensions but the last: tokens,
   * heads x queries, or 1 for a vector.
   */
  public static int lines(Example row, Column column) {
    int length = row.length();
    return switch (column.family()) {
      case HIDDEN -> length;
      case ATTENTION -> row.cell(column).length / row.dtype(column).bytes(length, length) * length;
      case LOGITS ->
          column.name().startsWith(MlmTargets.MASKED)
              ? (int) Counts.of(List.of(row)).masked()
              : column.equals(Targets.LOGITS) ? 1 : length;
      case INPUTS -> throw new IllegalStateException(column.name() + " holds no target");
    };
  }
}

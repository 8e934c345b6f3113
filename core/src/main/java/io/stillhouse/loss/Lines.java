package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Int8;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/** Gathers lines of cells into one float32 tensor, zero where no line was put. */
final class Lines {
  private final Dtype dtype;
  private final int width;
  private final ByteBuffer bytes;

  /**
   * @param dtype of the cells
   * @param lines of the tensor: the product of its dimensions but the last
   * @param width of the tensor's last dimension
   */
  Lines(Dtype dtype, int lines, int width) {
    this.dtype = dtype;
    this.width = width;
    int number = dtype == Dtype.INT8 ? Float.BYTES : dtype.bytes();
    this.bytes =
        ByteBuffer.allocateDirect(Math.multiplyExact(Math.multiplyExact(lines, width), number))
            .order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Copies a line.
   *
   * @param cell with {@code lines} lines, none wider than the tensor's
   * @param line of the cell
   * @param to line of the tensor
   */
  void put(byte[] cell, int lines, int line, int to) {
    if (dtype == Dtype.INT8) {
      FloatBuffer numbers = bytes.asFloatBuffer();
      Int8.decode(cell, lines, line, numbers.position(to * width));
      return;
    }
    int lineBytes = cell.length / lines;
    bytes.put(to * width * dtype.bytes(), cell, line * lineBytes, lineBytes);
  }

  /** Returns the tensor. */
  NDArray tensor(NDManager manager, Shape shape) {
    DataType stored = dtype == Dtype.INT8 ? DataType.FLOAT32 : DataType.valueOf(dtype.name());
    try (NDArray inJavaMemory = manager.create(bytes.rewind(), shape, stored)) {
      // A copy even of float32: sums of a matrix product depend on how its memory is aligned, which
      // Java's is not.
      return inJavaMemory.toType(DataType.FLOAT32, true);
    }
  }
}

package io.stillhouse.codec;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Int8;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * Gathers lines of cells into one float32 tensor, zero where no line was put. The lines of a thread
 * lie in the same memory, so one set of them is made into its tensor before the next is begun.
 */
final class Lines {
  private static final ThreadLocal<ByteBuffer> MEMORY =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(0));
  private static final byte[] ZEROS = new byte[1 << 16];

  private final Dtype dtype;
  private final int width;
  private final ByteBuffer bytes;

  /**
   * @param dtype of the cells
   * @param lines of the tensor: the product of its dimensions but the last
   * @param width of the tensor's last dimension
   * @param whole whether every number of the tensor will be put
   */
  private Lines(Dtype dtype, int lines, int width, boolean whole) {
    this.dtype = dtype;
    this.width = width;
    int number = dtype == Dtype.INT8 ? Float.BYTES : dtype.bytes();
    int size = Math.multiplyExact(Math.multiplyExact(lines, width), number);
    if (MEMORY.get().capacity() < size) {
      MEMORY.set(ByteBuffer.allocateDirect(size));
    }
    this.bytes = MEMORY.get().slice(0, size).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = 0; !whole && at < size; at += ZEROS.length) {
      bytes.put(at, ZEROS, 0, Math.min(ZEROS.length, size - at));
    }
  }

  /** Begins a tensor of which some numbers may stay 0. */
  static Lines padded(Dtype dtype, int lines, int width) {
    return new Lines(dtype, lines, width, false);
  }

  /** Begins a tensor of which every number will be put. */
  static Lines whole(Dtype dtype, int lines, int width) {
    return new Lines(dtype, lines, width, true);
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

  /**
   * Copies all lines of a cell to consecutive lines of the tensor.
   *
   * @param to the first of them
   */
  void putAll(byte[] cell, int lines, int to) {
    if (dtype != Dtype.INT8 && cell.length == lines * width * dtype.bytes()) {
      bytes.put(to * width * dtype.bytes(), cell);
      return;
    }
    for (int line = 0; line < lines; line++) {
      put(cell, lines, line, to + line);
    }
  }

  /** Returns the tensor. */
  NDArray tensor(NDManager manager, Shape shape) {
    DataType stored = dtype == Dtype.INT8 ? DataType.FLOAT32 : DataType.valueOf(dtype.name());
    try (NDArray inJavaMemory = manager.create(bytes.rewind(), shape, stored)) {
      // A copy even of float32, which toType would not make: sums of a matrix product depend on how
      // its memory is aligned, which Java's is not; and the next tensor's lines take this memory.
      return stored == DataType.FLOAT32
          ? inJavaMemory.duplicate()
          : inJavaMemory.toType(DataType.FLOAT32, true);
    }
  }
}

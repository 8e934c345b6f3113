package io.stillhouse.codec;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.error.Errors;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Int8;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * Gathers lines of cells, the vectors along their last dimension, into one float32 tensor. All
 * buffers of a thread share their memory: call {@link #tensor} before the next buffer is created.
 */
final class LineBuffer {
  private static final ThreadLocal<ByteBuffer> MEMORY =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(0));
  private static final byte[] ZEROS = new byte[1 << 16];

  private final Dtype dtype;
  private final int width;
  private final ByteBuffer bytes;

  /**
   * @param dtype dtype of the cells
   * @param lines number of lines: the product of all dimensions of the tensor but the last
   * @param width size of the tensor's last dimension
   * @param uninitialized whether the caller puts every number; otherwise the buffer is first filled
   *     with 0
   * @throws io.stillhouse.error.StillhouseException if it would have more than 2 GiB
   */
  private LineBuffer(Dtype dtype, int lines, int width, boolean uninitialized) {
    this.dtype = dtype;
    this.width = width;
    int number = dtype == Dtype.INT8 ? Float.BYTES : dtype.bytes();
    int size = size(lines, width, number);
    if (MEMORY.get().capacity() < size) {
      MEMORY.set(ByteBuffer.allocateDirect(size));
    }
    this.bytes = MEMORY.get().slice(0, size).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = 0; !uninitialized && at < size; at += ZEROS.length) {
      bytes.put(at, ZEROS, 0, Math.min(ZEROS.length, size - at));
    }
  }

  private static int size(int lines, int width, int number) {
    long size = Math.multiplyExact((long) lines * width, number);
    if (size > Integer.MAX_VALUE) {
      throw Errors.invalid(
          format(
              "a batch has %,d stored vectors of %,d numbers, which are more than 2 GiB",
              lines, width),
          "lower train.micro-batch-tokens, or store fewer soft labels with"
              + " targets.mlm-logits=top-k");
    }
    return (int) size;
  }

  /** Creates a buffer filled with zeros. */
  static LineBuffer padded(Dtype dtype, int lines, int width) {
    return new LineBuffer(dtype, lines, width, false);
  }

  /** Creates an uninitialized buffer, for a caller that puts every number. */
  static LineBuffer uninitialized(Dtype dtype, int lines, int width) {
    return new LineBuffer(dtype, lines, width, true);
  }

  /**
   * Copies a line of a cell, which may be narrower than the tensor.
   *
   * @param lines number of lines in the cell
   * @param line index of the line in the cell
   * @param to index of the line in the tensor
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
   * @param lines number of lines in the cell
   * @param to index of the first line in the tensor
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

  /**
   * Returns the lines as a tensor in libtorch's memory.
   *
   * @param shape shape with as many numbers as the buffer
   * @return float32, attached to {@code manager}
   */
  NDArray tensor(NDManager manager, Shape shape) {
    DataType stored = dtype == Dtype.INT8 ? DataType.FLOAT32 : DataType.valueOf(dtype.name());
    try (NDArray inJavaMemory = manager.create(bytes.rewind(), shape, stored)) {
      // Float32 is copied too, because the next buffer overwrites this memory, and because sums of
      // matrix products depend on the alignment, which Java does not guarantee.
      return stored == DataType.FLOAT32
          ? inJavaMemory.duplicate()
          : inJavaMemory.toType(DataType.FLOAT32, true);
    }
  }
}

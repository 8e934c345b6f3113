package io.stillhouse.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * A float32 tensor whose values are fetched when they are written, so that only one tensor of a
 * model is in memory at a time.
 */
public record LazyTensor(Shape shape, Bytes bytes) {
  /** Transposing tile by tile keeps both sides in the processor's cache. */
  private static final int TILE = 32;

  /** Fetches the values, little-endian and in row-major order. */
  public interface Bytes {
    ByteBuffer read() throws IOException;
  }

  /**
   * Wraps an engine's tensor, which must not be closed before the values are written.
   *
   * @throws IllegalArgumentException if the tensor is not float32
   */
  public static LazyTensor of(NDArray tensor) {
    if (tensor.getDataType() != DataType.FLOAT32) {
      throw new IllegalArgumentException("not float32: " + tensor.getName());
    }
    boolean view = !tensor.getDevice().isGpu();
    return new LazyTensor(
        tensor.getShape(), () -> Autograd.onHost(tensor, array -> array.toByteBuffer(view)));
  }

  /** Computes values, in row-major order. */
  public interface Values {
    float[] read() throws IOException;
  }

  /** Computes new values from those of a tensor, in row-major order. */
  public interface Change {
    float[] apply(float[] values) throws IOException;
  }

  /** Returns a tensor whose values are computed when they are written. */
  public static LazyTensor computed(Shape shape, Values values) {
    return new LazyTensor(
        shape,
        () -> {
          float[] numbers = values.read();
          ByteBuffer bytes =
              ByteBuffer.allocate(Math.multiplyExact(Float.BYTES, numbers.length))
                  .order(ByteOrder.LITTLE_ENDIAN);
          bytes.asFloatBuffer().put(numbers);
          return bytes;
        });
  }

  /** Returns the values, in row-major order. */
  public float[] floats() throws IOException {
    float[] values = new float[Math.toIntExact(shape.size())];
    bytes.read().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  /** Returns a tensor of another shape whose values are computed from this one's. */
  public LazyTensor changed(Shape newShape, Change change) {
    return computed(newShape, () -> change.apply(floats()));
  }

  /** Returns the transposed matrix. */
  public LazyTensor transposed() {
    if (shape.dimension() != 2) {
      throw new IllegalStateException("not a matrix: " + shape);
    }
    int rows = (int) shape.get(0);
    int columns = (int) shape.get(1);
    return new LazyTensor(new Shape(columns, rows), () -> transposed(bytes.read(), rows, columns));
  }

  private static ByteBuffer transposed(ByteBuffer matrix, int rows, int columns) {
    FloatBuffer from = matrix.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    ByteBuffer result =
        ByteBuffer.allocateDirect(Math.multiplyExact(4, from.remaining()))
            .order(ByteOrder.LITTLE_ENDIAN);
    FloatBuffer to = result.asFloatBuffer();
    for (int top = 0; top < rows; top += TILE) {
      for (int left = 0; left < columns; left += TILE) {
        for (int row = top; row < Math.min(top + TILE, rows); row++) {
          for (int column = left; column < Math.min(left + TILE, columns); column++) {
            to.put(column * rows + row, from.get(row * columns + column));
          }
        }
      }
    }
    return result;
  }
}

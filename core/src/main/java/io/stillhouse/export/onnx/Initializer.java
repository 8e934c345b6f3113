package io.stillhouse.export.onnx;

import ai.djl.ndarray.types.Shape;
import com.google.protobuf.ByteString;
import io.stillhouse.checkpoint.LazyTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A constant of a graph, whose values are fetched when the file is written.
 *
 * @param values little-endian and in row-major order
 */
record Initializer(String name, ElementType type, Shape shape, LazyTensor.Bytes values) {

  static Initializer floats(String name, LazyTensor tensor) {
    return new Initializer(name, ElementType.FLOAT, tensor.shape(), tensor.bytes());
  }

  static Initializer scalar(String name, float value) {
    return new Initializer(
        name, ElementType.FLOAT, new Shape(), () -> buffer(Float.BYTES).putFloat(value).flip());
  }

  static Initializer scalar(String name, byte value) {
    return new Initializer(
        name, ElementType.INT8, new Shape(), () -> buffer(Byte.BYTES).put(value).flip());
  }

  static Initializer scalar(String name, long value) {
    return integers(name, new Shape(), value);
  }

  /** Returns a list of integers. */
  static Initializer list(String name, long... values) {
    return integers(name, new Shape(values.length), values);
  }

  private static Initializer integers(String name, Shape shape, long... values) {
    return new Initializer(
        name,
        ElementType.INT64,
        shape,
        () -> {
          ByteBuffer bytes = buffer(Long.BYTES * values.length);
          for (long value : values) {
            bytes.putLong(value);
          }
          return bytes.flip();
        });
  }

  /** Returns the number of bytes of the values. */
  long size() {
    return Math.multiplyExact(shape.size(), (long) type.width());
  }

  /** Returns the fields of the TensorProto without the values. */
  ByteString header() {
    return Message.of(
        out -> {
          for (long dimension : shape.getShape()) {
            out.writeInt64(1, dimension);
          }
          out.writeInt32(2, type.number());
          out.writeString(8, name);
        });
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}

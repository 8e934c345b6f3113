package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.error.Errors;
import io.stillhouse.torch.Float16;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/** Converts the floating-point dtypes of weight files, under their names in safetensors files. */
final class StoredFloats {
  private StoredFloats() {}

  /** Returns the bytes of one number, or 0 for dtypes whose sizes are not checked. */
  static int width(String dtype) {
    return switch (dtype) {
      case "F32", "I32" -> 4;
      case "F16", "BF16" -> 2;
      case "F64", "I64" -> 8;
      default -> 0;
    };
  }

  /**
   * Returns a shape.
   *
   * @throws IllegalArgumentException if it has a negative dimension or its size is no long
   */
  static Shape shape(long[] dimensions) {
    long size = 1;
    for (long dimension : dimensions) {
      if (dimension < 0) {
        throw new IllegalArgumentException("a negative dimension");
      }
      try {
        size = Math.multiplyExact(size, Math.max(1, dimension));
      } catch (ArithmeticException e) {
        throw new IllegalArgumentException("more than 2^63 numbers", e);
      }
    }
    return new Shape(dimensions);
  }

  /** Requires a floating-point dtype, and a size that Java's buffers can hold. */
  static void requireReadable(Path file, String name, String dtype, Shape shape) {
    String tensor = format("tensor '%s' of '%s'", Errors.shortened(name), file);
    if (!dtype.matches("F32|F16|BF16|F64")) {
      throw Errors.invalid(
          format("%s has dtype %s", tensor, Errors.shortened(dtype)),
          "weights must be F32, F16, BF16 or F64");
    }
    if (shape.size() > Integer.MAX_VALUE / width("F64")) {
      throw Errors.invalid(
          format(
              "%s has %,d numbers, but tensors may have %,d",
              tensor, shape.size(), Integer.MAX_VALUE / width("F64")),
          "use a smaller model");
    }
  }

  /** Returns a copy in float32, so that no tensor refers to memory that is no longer mapped. */
  static ByteBuffer toFloat32(String dtype, ByteBuffer stored) {
    stored.order(ByteOrder.LITTLE_ENDIAN);
    return switch (dtype) {
      case "F32" -> copy(stored);
      case "F16" -> converted(stored, 2, b -> Float16.toFloat(b.getShort()));
      // The engine's conversion of bfloat16 crashes the process.
      case "BF16" -> converted(stored, 2, b -> Float.intBitsToFloat(b.getShort() << 16));
      case "F64" -> converted(stored, 8, b -> (float) b.getDouble());
      default -> throw new IllegalStateException("dtype " + dtype);
    };
  }

  private static ByteBuffer copy(ByteBuffer mapped) {
    ByteBuffer copy = ByteBuffer.allocateDirect(mapped.remaining()).order(ByteOrder.LITTLE_ENDIAN);
    copy.put(mapped);
    return copy.flip();
  }

  private static ByteBuffer converted(ByteBuffer stored, int width, Next next) {
    int size = stored.remaining() / width;
    ByteBuffer floats =
        ByteBuffer.allocateDirect(Math.multiplyExact(4, size)).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < size; i++) {
      floats.putFloat(next.read(stored));
    }
    return floats.flip();
  }

  /** Reads one number from a buffer. */
  private interface Next {
    float read(ByteBuffer from);
  }
}

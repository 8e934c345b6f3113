package io.stillhouse.checkpoint.pickle;

import static io.stillhouse.error.Text.format;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The place of a tensor in a storage.
 *
 * @param offset first number of the storage that belongs to it
 * @param shape its dimensions
 * @param strides the distance between two neighbors of each dimension, in numbers
 */
record PickledTensor(Storage storage, long offset, List<Long> shape, List<Long> strides) {
  /** More dimensions than any weight has. */
  private static final int MAX_DIMENSIONS = 8;

  /**
   * Creates a tensor.
   *
   * @throws PickleException if it reaches beyond its storage
   */
  static PickledTensor of(Storage storage, long offset, long[] shape, long[] strides)
      throws PickleException {
    if (shape.length != strides.length || shape.length > MAX_DIMENSIONS) {
      throw PickleException.damaged(
          format("a tensor has %d dimensions and %d strides", shape.length, strides.length));
    }
    PickledTensor tensor = new PickledTensor(storage, offset, boxed(shape), boxed(strides));
    Long end = tensor.end();
    if (offset < 0 || end == null || end > storage.count()) {
      throw PickleException.damaged(
          format(
              "a tensor of shape %s reaches beyond its storage of %d numbers",
              tensor.shape(), storage.count()));
    }
    return tensor;
  }

  /** Returns the number of values. */
  long size() {
    return shape.stream().reduce(1L, (a, b) -> a * b);
  }

  /** Returns how many numbers of the storage it spans, from its first to its last one. */
  long extent() {
    long extent = 1;
    for (int i = 0; i < shape.size(); i++) {
      extent += (shape.get(i) - 1) * strides.get(i);
    }
    return size() == 0 ? 0 : extent;
  }

  /** Returns whether the values follow one another in row-major order. */
  boolean isContiguous() {
    long expected = 1;
    for (int i = shape.size() - 1; i >= 0; i--) {
      if (shape.get(i) != 1 && strides.get(i) != expected) {
        return false;
      }
      expected *= shape.get(i);
    }
    return true;
  }

  /** Returns the end of the tensor in its storage, or null if a number is negative or too large. */
  private @Nullable Long end() {
    try {
      long size = 1;
      long last = 0;
      for (int i = 0; i < shape.size(); i++) {
        if (shape.get(i) < 0 || strides.get(i) < 0) {
          return null;
        }
        size = Math.multiplyExact(size, shape.get(i));
        last =
            Math.addExact(last, Math.multiplyExact(Math.max(0, shape.get(i) - 1), strides.get(i)));
      }
      // A stride of 0 repeats numbers, so a small file could ask for a huge tensor.
      return size == 0
          ? Long.valueOf(offset)
          : size > storage.count() ? null : Math.addExact(offset, Math.addExact(last, 1));
    } catch (ArithmeticException e) {
      return null;
    }
  }

  private static List<Long> boxed(long[] numbers) {
    return Arrays.stream(numbers).boxed().toList();
  }
}

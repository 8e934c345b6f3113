package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Set;

/**
 * A file of named tensors, whose names and shapes are known and whose values are read on demand.
 */
public sealed interface TensorFile permits SafeTensors, PytorchTensors {
  /** Opens a file of one of the supported formats, which its name tells. */
  static TensorFile open(Path file) throws IOException {
    return file.getFileName().toString().endsWith(".safetensors")
        ? SafeTensors.open(file)
        : PytorchTensors.open(file);
  }

  /** Returns the path of the file. */
  Path file();

  /** Returns the names of the tensors, in the order of the file. */
  Set<String> names();

  /** Returns the shape of a tensor. */
  Shape shape(String name);

  /**
   * Requires that a tensor can be read, without reading it.
   *
   * @throws io.stillhouse.error.StillhouseException if its dtype is not a floating-point one, or it
   *     is too large
   */
  void requireReadable(String name);

  /**
   * Reads a tensor as float32, little-endian and in row-major order; float16, bfloat16 and float64
   * are converted.
   *
   * @throws io.stillhouse.error.StillhouseException as {@link #requireReadable}
   */
  ByteBuffer float32(String name) throws IOException;

  /**
   * Reads a tensor as {@link #float32} does.
   *
   * @param manager owns the result
   */
  default NDArray read(String name, NDManager manager) {
    // Copy from Java's memory into libtorch's, which is aligned. The summation order of a matrix
    // product depends on alignment, so without the copy two processes could compute different last
    // digits.
    try (NDArray inJavaMemory = manager.create(float32(name), shape(name), DataType.FLOAT32)) {
      return inJavaMemory.duplicate();
    } catch (IOException e) {
      throw new UncheckedIOException(format("cannot read '%s' of %s", name, file()), e);
    }
  }

  /** Returns a tensor that is read when it is written to another file. */
  default LazyTensor lazy(String name) {
    return new LazyTensor(shape(name), () -> float32(name));
  }
}

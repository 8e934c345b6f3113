package io.stillhouse.torch;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.JniUtils;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * libtorch's autograd for the calling thread. DJL's GradientCollector allows one per JVM;
 * libtorch's grad mode and backward pass are per thread, so several tasks can train in one
 * executor. Grad mode is <em>on</em> in a new thread; a thread that only runs inference turns it
 * off.
 */
public final class Autograd {
  static {
    Engine.getInstance(); // loads libtorch, which the methods below call directly
  }

  private Autograd() {}

  /** Sets whether operations of this thread are recorded for a backward pass. */
  public static void record(Mode mode) {
    JniUtils.setGradMode(mode == Mode.ON);
  }

  /** Whether operations are recorded for a backward pass. */
  public enum Mode {
    ON,
    OFF
  }

  /** Adds a scalar's gradient to every leaf that it depends on, and frees the graph. */
  public static void backward(NDArray scalar) {
    try (NDArray one = scalar.getManager().ones(scalar.getShape())) {
      JniUtils.backward((PtNDArray) scalar, (PtNDArray) one, false, false);
    }
  }

  /**
   * Returns a leaf's gradient, not a copy, or null if it has none yet. The caller closes the
   * returned array.
   */
  public static @Nullable NDArray gradient(NDArray leaf) {
    PtNDArray gradient = JniUtils.getGradient((PtNDArray) leaf);
    return gradient;
  }

  /**
   * Sets a leaf's gradient to 0 and returns it, not a copy, so that callers can add to it in place.
   * The caller closes the returned array.
   */
  public static NDArray zeroGradient(NDArray leaf) {
    record(Mode.ON);
    try (NDManager scope = leaf.getManager().newSubManager()) {
      NDArray none = scope.zeros(leaf.getShape());
      leaf.tempAttach(scope);
      backward(leaf.mul(none).sum());
    } finally {
      record(Mode.OFF);
    }
    return Objects.requireNonNull(gradient(leaf));
  }

  /**
   * Returns the product with a number, in a way that is safe for a backward pass.
   *
   * <p>With {@code array.mul(number)}, DJL puts the number into Java's memory. The graph keeps a
   * pointer to it, the garbage collector frees it, and the backward pass reads freed memory.
   *
   * @param array float32
   * @return float32, attached to {@code array}'s manager
   */
  public static NDArray multiply(NDArray array, double factor) {
    try (NDArray inLibtorch =
        array.getManager().full(new Shape(), (float) factor, DataType.FLOAT32)) {
      return array.mul(inLibtorch);
    }
  }

  /** Returns the quotient by a number, as safe for a backward pass as {@link #multiply}. */
  public static NDArray divide(NDArray array, double divisor) {
    try (NDArray inLibtorch =
        array.getManager().full(new Shape(), (float) divisor, DataType.FLOAT32)) {
      return array.div(inLibtorch);
    }
  }

  /**
   * Calls a reader with the array, or with a copy on the CPU that is freed afterwards. Copies that
   * DJL makes of a GPU's arrays live as long as the array's manager: for weights, until the
   * training ends.
   */
  public static <T> T onHost(NDArray array, Function<NDArray, T> reader) {
    if (!array.getDevice().isGpu()) {
      return reader.apply(array);
    }
    try (NDArray copy = array.toDevice(Device.cpu(), true)) {
      return reader.apply(copy);
    }
  }

  /** Copies the numbers of an array into another of the same shape, on any device. */
  public static void copy(NDArray from, NDArray to) {
    onHost(
        from,
        array -> {
          to.set(array.toByteBuffer(false)); // takes over the buffer
          return to;
        });
  }

  /** Seeds libtorch's generator, which all threads of the process share. */
  public static void seed(long seed) {
    JniUtils.setSeed(seed);
  }

  /** Sets the number of threads that operations of this thread use. */
  public static void threads(int threads) {
    JniUtils.setNumThreads(threads);
  }

  /** Returns an array's manager as DJL's PyTorch type. */
  public static PtNDManager manager(NDArray array) {
    return (PtNDManager) array.getManager();
  }

  /**
   * Returns rows of a table; gradients flow back to the table.
   *
   * @param tableND N rows, float32
   * @param ids row numbers, of any shape, int64
   * @return the rows, of the ids' shape with D appended, attached to the ids' manager
   */
  public static NDArray rows(NDArray tableND, NDArray ids) {
    return ids.getNDArrayInternal().embedding(ids, tableND, SparseFormat.DENSE).singletonOrThrow();
  }
}

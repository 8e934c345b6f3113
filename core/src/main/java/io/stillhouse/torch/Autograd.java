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
 * Gradients per thread. DJL's own collector allows one per JVM; libtorch's grad mode and backward
 * pass are per thread, so several tasks can train in one executor. Grad mode starts <em>on</em> in
 * most threads: a thread that only infers turns it off.
 */
public final class Autograd {
  static {
    Engine.getInstance(); // loads libtorch: the calls below go to it directly
  }

  private Autograd() {}

  /** Switches the recording of gradients on this thread. */
  public static void record(Mode mode) {
    JniUtils.setGradMode(mode == Mode.ON);
  }

  /** Whether operations are recorded for a backward pass. */
  public enum Mode {
    ON,
    OFF
  }

  /** Adds the gradients of a scalar to every leaf it depends on, and frees the graph. */
  public static void backward(NDArray scalar) {
    try (NDArray one = scalar.getManager().ones(scalar.getShape())) {
      JniUtils.backward((PtNDArray) scalar, (PtNDArray) one, false, false);
    }
  }

  /**
   * Returns a handle on a leaf's gradient, which the caller closes, or null before any backward
   * pass.
   */
  public static @Nullable NDArray gradient(NDArray leaf) {
    PtNDArray gradient = JniUtils.getGradient((PtNDArray) leaf);
    return gradient;
  }

  /**
   * Gives a leaf a gradient of 0, for who adds to it in place, and returns a handle on it, which
   * the caller closes.
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
   * Returns the product with a number, of which the backward pass may take the gradient.
   *
   * <p>Not {@code array.mul(number)}: DJL puts the number into Java's memory, which the graph keeps
   * a pointer to and the garbage collector frees; the backward pass then multiplies by whatever
   * lies there.
   *
   * @param array float32
   * @return attached to {@code array}'s manager
   */
  public static NDArray times(NDArray array, double factor) {
    try (NDArray inLibtorch =
        array.getManager().full(new Shape(), (float) factor, DataType.FLOAT32)) {
      return array.mul(inLibtorch);
    }
  }

  /** Returns the quotient by a number; see {@link #times}. */
  public static NDArray over(NDArray array, double divisor) {
    try (NDArray inLibtorch =
        array.getManager().full(new Shape(), (float) divisor, DataType.FLOAT32)) {
      return array.div(inLibtorch);
    }
  }

  /**
   * Reads an array in the processor's memory. What DJL itself copies there from a GPU stays until
   * the array's manager is closed: for weights, to the end of the training.
   */
  public static <T> T onHost(NDArray array, Function<NDArray, T> reader) {
    if (!array.getDevice().isGpu()) {
      return reader.apply(array);
    }
    try (NDArray copy = array.toDevice(Device.cpu(), true)) {
      return reader.apply(copy);
    }
  }

  /** Copies the numbers of an array into another of the same shape, whichever their devices. */
  public static void copy(NDArray from, NDArray to) {
    onHost(
        from,
        array -> {
          to.set(array.toByteBuffer(false)); // takes over the memory that it is given
          return to;
        });
  }

  /** Seeds libtorch's generator, which is one per process. */
  public static void seed(long seed) {
    JniUtils.setSeed(seed);
  }

  /** Sets the threads that this thread's operations use. */
  public static void threads(int threads) {
    JniUtils.setNumThreads(threads);
  }

  /** Returns the engine's own view of an array's manager. */
  public static PtNDManager manager(NDArray array) {
    return (PtNDManager) array.getManager();
  }

  /**
   * Returns rows of a table, through which gradients flow back.
   *
   * @param tableND one row of D numbers for each id
   * @param ids of any shape
   * @return the ids' shape and D, attached to the ids' manager
   */
  public static NDArray rows(NDArray tableND, NDArray ids) {
    return ids.getNDArrayInternal().embedding(ids, tableND, SparseFormat.DENSE).singletonOrThrow();
  }
}

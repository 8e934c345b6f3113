package io.stillhouse.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * The dropout of one forward pass, whose masks are a function of its key and of the order of calls
 * alone. libtorch's own draws from one generator of the whole process: students that train side by
 * side would take each other's numbers.
 *
 * <p>Number n of mask m comes from SplitMix64 at the counter (key, m, n / 4), 16 of its bits each
 * (Steele, Lea, Flood 2014), so a rate is rounded to a multiple of 2^-16, and what is kept is
 * divided by what the rounded rate leaves.
 */
public final class Dropout {
  /** Nothing is dropped: inference. */
  public static final Dropout NONE = new Dropout(0, false);

  private static final long GAMMA = 0x9E3779B97F4A7C15L;
  private static final int LEVELS = 1 << 16;

  private final boolean drops;
  private long key;

  private Dropout(long key, boolean drops) {
    this.key = key;
    this.drops = drops;
  }

  /** Returns the dropout of one forward pass; another key gives other masks. */
  public static Dropout of(long key) {
    return new Dropout(key, true);
  }

  /**
   * Zeroes numbers at random and scales the others up.
   *
   * @param input float32
   * @param rate the share that is dropped, below 1
   * @return attached to {@code input}'s manager; {@code input} itself where nothing is dropped
   */
  NDArray apply(NDArray input, double rate) {
    if (!drops || rate == 0) {
      return input;
    }
    key = mix(key + GAMMA);
    try (NDArray mask = mask(input.getManager(), input.getShape(), key, rate)) {
      return input.mul(mask);
    }
  }

  private static NDArray mask(NDManager manager, Shape shape, long key, double rate) {
    int dropped = (int) Math.round(rate * LEVELS);
    float kept = (float) LEVELS / (LEVELS - dropped);
    int size = Math.toIntExact(shape.size());
    if (manager.getDevice().isGpu()) {
      float[] values = new float[size];
      fill(FloatBuffer.wrap(values), key, dropped, kept);
      return manager.create(values, shape);
    }
    // Written into libtorch's own memory, which the graph keeps until the backward pass.
    NDArray mask = manager.create(shape, DataType.FLOAT32);
    fill(
        mask.toByteBuffer(true).order(ByteOrder.nativeOrder()).asFloatBuffer(), key, dropped, kept);
    return mask;
  }

  static void fill(FloatBuffer mask, long key, int dropped, float kept) {
    int size = mask.limit();
    float[] line = new float[Math.min(size, 4096)];
    long counter = key;
    for (int from = 0; from < size; from += line.length) {
      int numbers = Math.min(line.length, size - from);
      for (int i = 0; i < numbers; i += 4) {
        counter += GAMMA;
        long bits = mix(counter);
        int last = Math.min(4, numbers - i);
        for (int n = 0; n < last; n++) {
          line[i + n] = ((int) (bits >>> 16 * n) & 0xffff) < dropped ? 0 : kept;
        }
      }
      mask.put(from, line, 0, numbers);
    }
  }

  /** The finaliser of SplitMix64. */
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}

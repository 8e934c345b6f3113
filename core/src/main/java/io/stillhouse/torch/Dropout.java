package io.stillhouse.torch;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The dropout of one forward pass. Its masks depend only on its key and on the order of calls.
 * libtorch's dropout draws from one generator per process, so students that train concurrently
 * would change each other's masks.
 *
 * <p>Whether number n of a mask is dropped depends on 16 bits of a hash of n: MurmurHash3's
 * finalizer applied twice, each time after half of the mask's key is mixed in. Java's compiler
 * vectorizes this loop. The rate is therefore rounded to a multiple of 2^-16, and kept numbers are
 * divided by 1 minus the rounded rate.
 */
public final class Dropout {
  /** Drops nothing, for inference. */
  public static final Dropout NONE = new Dropout(0, false);

  private static final long GAMMA = 0x9E3779B97F4A7C15L;
  private static final int LEVELS = 1 << 16;
  private static final int LINE = 4096;

  /** Java 17 does not vectorize a loop that computes with its own index. */
  private static final int[] INDICES = IntStream.range(0, LINE).toArray();

  private final boolean drops;
  private final Queue<NDArray> ahead = new ArrayDeque<>();
  private long key;

  /**
   * A mask to draw ahead.
   *
   * @param rate the share that is dropped, below 1
   */
  public record Request(Shape shape, double rate) {}

  private Dropout(long key, boolean drops) {
    this.key = key;
    this.drops = drops;
  }

  /** Returns the dropout of one forward pass. Different keys give different masks. */
  public static Dropout of(long key) {
    return new Dropout(key, true);
  }

  /**
   * Sets numbers to zero at random and scales the others up.
   *
   * @param input of any shape, float32
   * @param rate the share that is dropped, below 1
   * @return attached to {@code input}'s manager; {@code input} itself if nothing is dropped
   */
  public NDArray apply(NDArray input, double rate) {
    NDArray mask = mask(input.getManager(), input.getShape(), rate);
    if (mask == null) {
      return input;
    }
    try (mask) {
      return input.mul(mask);
    }
  }

  /**
   * Returns the next mask to multiply by: 0 where a number is dropped, above 1 elsewhere.
   *
   * @param manager owns the mask
   * @param rate the share that is dropped, below 1
   * @return float32, of the given shape; null if nothing is dropped
   * @throws IllegalStateException if the next mask was drawn ahead with another shape
   */
  public @Nullable NDArray mask(NDManager manager, Shape shape, double rate) {
    if (!drops || rate == 0) {
      return null;
    }
    if (!ahead.isEmpty()) {
      NDArray mask = ahead.remove();
      if (!mask.getShape().equals(shape)) {
        throw new IllegalStateException(
            format("the mask drawn ahead has shape %s, but %s is needed", mask.getShape(), shape));
      }
      return mask;
    }
    nextKey();
    int size = Math.toIntExact(shape.size());
    if (manager.getDevice().isGpu()) {
      ByteBuffer values = ByteBuffer.allocateDirect(4 * size).order(ByteOrder.nativeOrder());
      fill(values.asIntBuffer(), key, dropped(rate), keepProbability(rate));
      return manager.create(values, shape, DataType.FLOAT32);
    }
    // Written into libtorch's memory, which the autograd graph keeps until the backward pass.
    NDArray mask = manager.create(shape, DataType.FLOAT32);
    fill(
        mask.toByteBuffer(true).order(ByteOrder.nativeOrder()).asIntBuffer(),
        key,
        dropped(rate),
        keepProbability(rate));
    return mask;
  }

  /** Compiles what {@link #drawAhead} runs on the manager's device; the caller closes it. */
  public static PtSymbolBlock compile(NDManager manager) {
    return TorchScript.compile(manager, Dropout.class, "dropout.py");
  }

  /**
   * Draws masks on the manager's device, all masks of one shape together. {@link #mask} then
   * returns these, one after another, before it draws others. A step of BERT-base on a GPU needs a
   * hundred million numbers; computing them in Java and sending them would take longer than the
   * step.
   *
   * @param ops from {@link #compile}
   * @param manager owns the masks
   * @param wanted in the order in which {@link #mask} will be called
   */
  public void drawAhead(PtSymbolBlock ops, NDManager manager, List<Request> wanted) {
    Map<Request, List<Integer>> places = new LinkedHashMap<>();
    long[] keys = new long[wanted.size()];
    for (int i = 0; i < keys.length; i++) {
      if (drops && wanted.get(i).rate() != 0) {
        nextKey();
        keys[i] = key;
        places.computeIfAbsent(wanted.get(i), request -> new ArrayList<>()).add(i);
      }
    }
    Map<Integer, NDArray> masks = new TreeMap<>();
    places.forEach(
        (request, at) -> {
          NDArray[] drawn =
              onDevice(ops, manager, request, at.stream().mapToLong(i -> keys[i]).toArray());
          for (int i = 0; i < drawn.length; i++) {
            masks.put(at.get(i), drawn[i]);
          }
        });
    ahead.addAll(masks.values());
  }

  /** Computes the masks of some keys, as {@link #fill} does. */
  private static NDArray[] onDevice(
      PtSymbolBlock ops, NDManager manager, Request wanted, long[] keys) {
    Shape column = new Shape(keys.length, 1);
    try (NDManager scope = manager.newSubManager()) {
      int[] first = Arrays.stream(keys).mapToInt(key -> (int) key).toArray();
      int[] second = Arrays.stream(keys).mapToInt(key -> (int) (key >>> 32)).toArray();
      NDArray firstM1 = scope.create(first, column).duplicate(); // not in Java's memory
      NDArray secondM1 = scope.create(second, column).duplicate();
      try (IValue shape = IValue.listFrom(wanted.shape().getShape());
          IValue firsts = IValue.from((PtNDArray) firstM1);
          IValue seconds = IValue.from((PtNDArray) secondM1);
          IValue dropped = IValue.from((long) dropped(wanted.rate()));
          IValue kept = IValue.from((double) keepProbability(wanted.rate()));
          IValue masks =
              IValueUtils.runMethod(ops, "masks", shape, firsts, seconds, dropped, kept)) {
        return masks.toTensorArray((PtNDManager) manager);
      }
    }
  }

  private void nextKey() {
    key = mix(key + GAMMA);
  }

  private static int dropped(double rate) {
    return (int) Math.round(rate * LEVELS);
  }

  private static float keepProbability(double rate) {
    return (float) LEVELS / (LEVELS - dropped(rate));
  }

  private static void fill(IntBuffer mask, long key, int dropped, float kept) {
    int size = mask.limit();
    int[] line = new int[Math.min(size, LINE)];
    for (int from = 0; from < size; from += line.length) {
      fill(line, from, (int) key, (int) (key >>> 32), dropped, Float.floatToRawIntBits(kept));
      mask.put(from, line, 0, Math.min(line.length, size - from));
    }
  }

  /** Fills a line with the bits of floats. */
  private static void fill(int[] line, int from, int first, int second, int dropped, int kept) {
    for (int i = 0; i < line.length; i++) {
      int bits = finalized(finalized((from + INDICES[i]) ^ first) + second) >>> 16;
      line[i] = kept & ~((bits - dropped) >> 31); // all ones where bits < dropped
    }
  }

  private static int finalized(int number) {
    int h = number;
    h = (h ^ (h >>> 16)) * 0x85EBCA6B;
    h = (h ^ (h >>> 13)) * 0xC2B2AE35;
    return h ^ (h >>> 16);
  }

  /** The finalizer of SplitMix64. */
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}

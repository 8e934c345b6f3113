package io.stillhouse.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.model.encoder.TrainingOps;
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
 * The dropout of one forward pass, whose masks are a function of its key and of the order of calls
 * alone. libtorch's own draws from one generator of the whole process: students that train side by
 * side would take each other's numbers.
 *
 * <p>Number n of a mask has 16 bits of n mixed twice by MurmurHash3's finaliser, with half of the
 * mask's key before each: a loop that Java's compiler vectorises. A rate is so rounded to a
 * multiple of 2^-16, and what is kept is divided by what the rounded rate leaves.
 */
public final class Dropout {
  /** Nothing is dropped: inference. */
  public static final Dropout NONE = new Dropout(0, false);

  private static final long GAMMA = 0x9E3779B97F4A7C15L;
  private static final int LEVELS = 1 << 16;
  private static final int LINE = 4096;

  /** Java 17 vectorises no loop that computes with its own index. */
  private static final int[] INDICES = IntStream.range(0, LINE).toArray();

  private final boolean drops;
  private final Queue<NDArray> ahead = new ArrayDeque<>();
  private long key;

  /** A mask that will be asked for. */
  public record Wanted(Shape shape, double rate) {}

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
  public NDArray apply(NDArray input, double rate) {
    NDArray mask = mask(input.getManager(), input.getShape(), rate);
    if (mask == null) {
      return input;
    }
    try (mask) {
      return input.mul(mask);
    }
  }

  /** Returns what to multiply by, 0 where a number is dropped; or null where none is. */
  public @Nullable NDArray mask(NDManager manager, Shape shape, double rate) {
    if (!drops || rate == 0) {
      return null;
    }
    if (!ahead.isEmpty()) {
      NDArray made = ahead.remove();
      if (!made.getShape().equals(shape)) {
        throw new IllegalStateException("made ahead: " + made.getShape() + ", not " + shape);
      }
      return made;
    }
    nextKey();
    int size = Math.toIntExact(shape.size());
    if (manager.getDevice().isGpu()) {
      ByteBuffer values = ByteBuffer.allocateDirect(4 * size).order(ByteOrder.nativeOrder());
      fill(values.asIntBuffer(), key, dropped(rate), kept(rate));
      return manager.create(values, shape, DataType.FLOAT32);
    }
    // Written into libtorch's own memory, which the graph keeps until the backward pass.
    NDArray mask = manager.create(shape, DataType.FLOAT32);
    fill(
        mask.toByteBuffer(true).order(ByteOrder.nativeOrder()).asIntBuffer(),
        key,
        dropped(rate),
        kept(rate));
    return mask;
  }

  /**
   * On a GPU makes masks there, those of one shape together; {@link #mask} then returns one after
   * another. A BERT-base's of one step are a hundred million numbers, which Java would take longer
   * to make and to send than the step takes.
   *
   * @param ops of {@link TrainingOps}
   * @param manager owns the masks
   * @param wanted in the order in which they will be asked for, before any other
   */
  public void ahead(PtSymbolBlock ops, NDManager manager, List<Wanted> wanted) {
    if (manager.getDevice().isGpu()) {
      makeAhead(ops, manager, wanted);
    }
  }

  /** Makes masks by libtorch's operators, whichever the device. */
  void makeAhead(PtSymbolBlock ops, NDManager manager, List<Wanted> wanted) {
    Map<Wanted, List<Integer>> places = new LinkedHashMap<>();
    long[] keys = new long[wanted.size()];
    for (int i = 0; i < keys.length; i++) {
      if (drops && wanted.get(i).rate() != 0) {
        nextKey();
        keys[i] = key;
        places.computeIfAbsent(wanted.get(i), alike -> new ArrayList<>()).add(i);
      }
    }
    Map<Integer, NDArray> masks = new TreeMap<>();
    places.forEach(
        (alike, at) -> {
          NDArray[] made =
              onDevice(ops, manager, alike, at.stream().mapToLong(i -> keys[i]).toArray());
          for (int i = 0; i < made.length; i++) {
            masks.put(at.get(i), made[i]);
          }
        });
    ahead.addAll(masks.values());
  }

  private static NDArray[] onDevice(
      PtSymbolBlock ops, NDManager manager, Wanted wanted, long[] keys) {
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
          IValue kept = IValue.from((double) kept(wanted.rate()));
          IValue masks =
              IValueUtils.runMethod(ops, "dropout", shape, firsts, seconds, dropped, kept)) {
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

  private static float kept(double rate) {
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
      int bits = finalised(finalised((from + INDICES[i]) ^ first) + second) >>> 16;
      line[i] = kept & ~((bits - dropped) >> 31); // all ones where it is less
    }
  }

  private static int finalised(int number) {
    int h = number;
    h = (h ^ (h >>> 16)) * 0x85EBCA6B;
    h = (h ^ (h >>> 13)) * 0xC2B2AE35;
    return h ^ (h >>> 16);
  }

  /** The finaliser of SplitMix64. */
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}

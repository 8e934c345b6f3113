package io.stillhouse.train.rounds;

import io.stillhouse.spec.TrainSpec;
import io.stillhouse.torch.Float16;
import io.stillhouse.train.FlatWeights;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;

/** Encodes differences of weights as little-endian bytes, in the dtype of the recipe. */
final class DeltaCodec {
  private DeltaCodec() {}

  /** Returns the number of bytes of one value. */
  static int bytes(TrainSpec.Delta dtype) {
    return switch (dtype) {
      case FLOAT32 -> 4;
      case FLOAT16 -> 2;
    };
  }

  /**
   * Returns {@code before - after}, or null if any difference is not finite. In float16,
   * differences beyond 65,504 are not finite.
   */
  static byte @org.jspecify.annotations.Nullable [] difference(
      byte[] before, byte[] after, TrainSpec.Delta dtype) {
    FloatBuffer from = FlatWeights.floats(before);
    FloatBuffer to = FlatWeights.floats(after);
    int size = from.limit();
    ByteBuffer bytes = ByteBuffer.allocate(size * bytes(dtype)).order(ByteOrder.LITTLE_ENDIAN);
    boolean finite = true;
    switch (dtype) {
      case FLOAT32 -> {
        FloatBuffer floats = bytes.asFloatBuffer();
        for (int i = 0; i < size; i++) {
          float difference = from.get(i) - to.get(i);
          finite &= Float.isFinite(difference);
          floats.put(i, difference);
        }
      }
      case FLOAT16 -> {
        ShortBuffer halves = bytes.asShortBuffer();
        for (int i = 0; i < size; i++) {
          short half = Float16.ofFloat(from.get(i) - to.get(i));
          finite &= Float.isFinite(Float16.toFloat(half));
          halves.put(i, half);
        }
      }
    }
    return finite ? bytes.array() : null;
  }

  /** Adds {@code weight} times each value to the sums. */
  static void addTo(double[] sums, byte[] numbers, TrainSpec.Delta dtype, double weight) {
    switch (dtype) {
      case FLOAT32 -> {
        FloatBuffer floats = FlatWeights.floats(numbers);
        for (int i = 0; i < sums.length; i++) {
          sums[i] += weight * floats.get(i);
        }
      }
      case FLOAT16 -> {
        ShortBuffer halves =
            ByteBuffer.wrap(numbers).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer();
        for (int i = 0; i < sums.length; i++) {
          sums[i] += weight * Float16.toFloat(halves.get(i));
        }
      }
    }
  }
}

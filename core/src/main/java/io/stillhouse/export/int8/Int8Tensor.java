package io.stillhouse.export.int8;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.LazyTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A tensor in int8. Each row, which is a vector along the last axis, has a scale, and its values
 * are integers multiplied by this scale. Zero stays zero.
 *
 * @param tensor float32
 * @param meanSquare mean squares of the inputs that a row is multiplied by, as long as a row; if
 *     present, each row has the scale with the smallest expected error of the product
 * @param bits range of the integers
 */
public record Int8Tensor(LazyTensor tensor, @Nullable LazyTensor meanSquare, WeightBits bits) {
  /** Name of the factors that a layer's inputs are multiplied by, after the name of the layer. */
  public static final String INPUT_FACTOR = ".input_factor";

  /** Name of the mean squares of a layer's inputs, after the name of the layer. */
  public static final String INPUT_MEAN_SQUARE = ".input_mean_square";

  /**
   * Candidate scales are 100 %, 97 %, 94 % and so on, down to 67 %, of the one without clipping.
   */
  private static final int STEPS = 12;

  private static final float STEP = 0.03f;

  /**
   * Returns the weight of a linear layer, divided by the factors of its inputs.
   *
   * @param weights the parameters, with factors and mean squares if the variant has them
   */
  public static Int8Tensor ofLayer(Map<String, LazyTensor> weights, String layer, WeightBits bits) {
    LazyTensor weight = Objects.requireNonNull(weights.get(layer + ".weight"), layer);
    LazyTensor factor = weights.get(layer + INPUT_FACTOR);
    LazyTensor scaled =
        factor == null
            ? weight
            : weight.changed(weight.shape(), values -> divided(values, factor.floats()));
    return new Int8Tensor(scaled, weights.get(layer + INPUT_MEAN_SQUARE), bits);
  }

  private static float[] divided(float[] values, float[] by) {
    for (int i = 0; i < values.length; i++) {
      values[i] /= by[i % by.length];
    }
    return values;
  }

  /** Returns the scale of each row, with this shape. */
  public LazyTensor scales(Shape shape) {
    return LazyTensor.computed(shape, () -> scales(tensor.floats()));
  }

  /** Returns the integers. */
  public ByteBuffer values() throws IOException {
    float[] values = tensor.floats();
    float[] scales = scales(values);
    ByteBuffer bytes = ByteBuffer.allocate(values.length);
    for (int i = 0; i < values.length; i++) {
      bytes.put((byte) rounded(values[i], scales[i / width()]));
    }
    return bytes.flip();
  }

  /** Returns the integers of the transposed matrix. */
  public ByteBuffer transposed() throws IOException {
    float[] values = tensor.floats();
    float[] scales = scales(values);
    ByteBuffer bytes = ByteBuffer.allocate(values.length);
    for (int column = 0; column < width(); column++) {
      for (int row = 0; row < scales.length; row++) {
        bytes.put((byte) rounded(values[row * width() + column], scales[row]));
      }
    }
    return bytes.flip();
  }

  /** Returns the float32 values that the integers represent. */
  float[] dequantized() throws IOException {
    float[] values = tensor.floats();
    float[] scales = scales(values);
    for (int i = 0; i < values.length; i++) {
      float scale = scales[i / width()];
      values[i] = rounded(values[i], scale) * scale;
    }
    return values;
  }

  private float[] scales(float[] values) throws IOException {
    int width = width();
    float[] scales = new float[values.length / width];
    for (int i = 0; i < values.length; i++) {
      scales[i / width] = Math.max(scales[i / width], Math.abs(values[i]));
    }
    float[] importance = meanSquare == null ? null : meanSquare.floats();
    for (int row = 0; row < scales.length; row++) {
      scales[row] /= bits.largest();
      if (importance != null) {
        float[] numbers = Arrays.copyOfRange(values, row * width, (row + 1) * width);
        scales[row] = best(numbers, importance, scales[row]);
      }
    }
    return scales;
  }

  /**
   * Returns the candidate scale with the smallest error.
   *
   * @param largest the scale without clipping
   */
  private float best(float[] numbers, float[] importance, float largest) {
    float best = largest;
    double smallest = Double.POSITIVE_INFINITY;
    for (int step = 0; step < STEPS; step++) {
      float scale = largest * (1 - step * STEP);
      double error = 0;
      for (int i = 0; i < numbers.length; i++) {
        double difference = numbers[i] - rounded(numbers[i], scale) * scale;
        error += difference * difference * importance[i];
      }
      if (error < smallest) {
        smallest = error;
        best = scale;
      }
    }
    return best;
  }

  private int rounded(float value, float scale) {
    int largest = bits.largest();
    return scale == 0 ? 0 : Math.max(-largest, Math.min(largest, (int) Math.rint(value / scale)));
  }

  private int width() {
    return (int) tensor.shape().get(tensor.shape().dimension() - 1);
  }
}

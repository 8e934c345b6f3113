package io.stillhouse.export.int8;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.core.Linear;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.model.encoder.LinearLayers;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Computes the linear layers of an int8 model in float32. Weights are rounded once, and inputs as
 * ONNX's DynamicQuantizeLinear rounds them.
 */
final class RoundedLayers implements LinearLayers {
  private static final int LARGEST = 255;

  private final Map<String, NDArray> rounded = new LinkedHashMap<>();
  private final Map<String, NDArray> factors = new HashMap<>();

  /**
   * Rounds the weights.
   *
   * @param weights the parameters, and the factors and mean squares of {@link Int8Tensor}
   * @param manager owns the rounded weights
   */
  RoundedLayers(Map<String, LazyTensor> weights, WeightBits bits, NDManager manager)
      throws IOException {
    for (Map.Entry<String, LazyTensor> entry : weights.entrySet()) {
      String name = entry.getKey();
      LazyTensor tensor = entry.getValue();
      if (name.endsWith(Int8Tensor.INPUT_FACTOR)) {
        factors.put(name, manager.create(tensor.floats(), tensor.shape()));
      } else if (!name.endsWith(Int8Tensor.INPUT_MEAN_SQUARE)) {
        rounded.put(name, manager.create(rounded(name, tensor, weights, bits), tensor.shape()));
      }
    }
  }

  private static float[] rounded(
      String name, LazyTensor tensor, Map<String, LazyTensor> weights, WeightBits bits)
      throws IOException {
    if (tensor.shape().dimension() == 1) {
      return tensor.floats();
    }
    return name.startsWith("bert.embeddings.")
        ? new Int8Tensor(tensor, null, bits).dequantized()
        : Int8Tensor.ofLayer(weights, name.replaceFirst("\\.weight$", ""), bits).dequantized();
  }

  /** Returns an encoder with the rounded weights. */
  Encoder encoder(EncoderSpec spec) {
    return new Encoder(spec, rounded, this);
  }

  @Override
  public NDArray apply(NDArray input, NDArray weight, NDArray bias, String layer) {
    NDArray factor = factors.get(layer + Int8Tensor.INPUT_FACTOR);
    NDArray scaled = factor == null ? input : input.mul(factor);
    return Linear.linear(rounded(scaled), weight, bias).singletonOrThrow();
  }

  private static NDArray rounded(NDArray input) {
    float low = Math.min(0, input.min().getFloat());
    float high = Math.max(0, input.max().getFloat());
    float scale = (high - low) / LARGEST;
    if (scale == 0) {
      return input;
    }
    double zero = Math.max(0, Math.min(LARGEST, Math.rint(-low / scale)));
    NDArray integers = Autograd.divide(input, scale).round().add(zero).clip(0, LARGEST).sub(zero);
    return Autograd.multiply(integers, scale);
  }
}

package io.stillhouse.export.int8;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.core.Linear;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.model.encoder.LinearLayers;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.text.Pairing;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Chooses how the weights of an encoder are quantized. Half of the given rows provide statistics of
 * the inputs of linear layers. On the other half, our own encoder computes each variant; it rounds
 * weights and inputs as ONNX's operators do.
 *
 * @param result the chosen variant and the errors of all variants
 * @param tensors the factors and mean squares of the chosen variant, by the names of {@link
 *     Int8Tensor}
 */
public record Calibration(Int8Result result, Map<String, LazyTensor> tensors) {
  /**
   * The number of tokens of a row whose masked-LM logits are compared. Each token has as many
   * logits as the vocabulary has words, so those of all tokens of 128 rows can need gigabytes.
   */
  private static final int MASKED_LM_TOKENS = 8;

  /**
   * Chooses a variant. Disables the recording of gradients in this thread, and keeps one copy of
   * the weights in memory.
   *
   * @param rows two or more rows, of one or two texts as the model reads them
   */
  public static Calibration of(
      ModelDirectory model, EncoderSpec spec, List<Pairing.Input> rows, WeightBits bits)
      throws IOException {
    if (rows.size() < 2) {
      throw new IllegalArgumentException(
          "calibration needs at least two rows, but has " + rows.size());
    }
    List<Pairing.Input> measured = new ArrayList<>();
    List<Pairing.Input> compared = new ArrayList<>();
    for (int row = 0; row < rows.size(); row++) {
      (row % 2 == 0 ? measured : compared).add(rows.get(row));
    }
    Autograd.record(Autograd.Mode.OFF);
    Map<String, LazyTensor> weights = model.lazyWeights();
    LayerStatistics statistics = new LayerStatistics();
    List<float[]> expected;
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      Map<String, NDArray> floats = model.weights(manager);
      outputs(new Encoder(spec, floats, observing(statistics)), measured, manager);
      expected = outputs(new Encoder(spec, floats), compared, manager);
    }
    Map<Int8Variant, Double> errors = new EnumMap<>(Int8Variant.class);
    for (Int8Variant variant : Int8Variant.values()) {
      Map<String, LazyTensor> prepared = new LinkedHashMap<>(weights);
      prepared.putAll(statistics.tensors(variant, weights));
      try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
        Encoder rounded = new RoundedLayers(prepared, bits, manager).encoder(spec);
        errors.put(variant, difference(outputs(rounded, compared, manager), expected));
      }
    }
    Int8Result result = Int8Result.of(errors);
    return new Calibration(result, statistics.tensors(result.variant(), weights));
  }

  private static LinearLayers observing(LayerStatistics statistics) {
    return (input, weight, bias, layer) -> {
      statistics.add(layer, input);
      return Linear.linear(input, weight, bias).singletonOrThrow();
    };
  }

  /** Returns the output of each row, computed alone as most applications do. */
  private static List<float[]> outputs(
      Encoder encoder, List<Pairing.Input> rows, NDManager manager) {
    List<float[]> outputs = new ArrayList<>();
    for (Pairing.Input row : rows) {
      try (NDManager scope = manager.newSubManager()) {
        Batch batch = Batch.of(scope, List.of(row.ids()), List.of(row.tokenTypes()));
        EncoderOutput output = encoder.forward(batch, Capture.NONE);
        NDArray result =
            encoder.spec().head().task() == Task.MASKED_LM
                ? encoder.maskedLmLogits(someTokens(output.last().squeeze(0)))
                : output.logits() == null ? output.last() : output.logits();
        outputs.add(result.toFloatArray());
      }
    }
    return outputs;
  }

  /** Returns the hidden states of evenly spaced tokens, (N, D). */
  private static NDArray someTokens(NDArray stateLD) {
    long length = stateLD.getShape().get(0);
    long step = (length + MASKED_LM_TOKENS - 1) / MASKED_LM_TOKENS;
    return stateLD.get("::" + step);
  }

  private static double difference(List<float[]> outputs, List<float[]> expected) {
    double sum = 0;
    long numbers = 0;
    for (int row = 0; row < outputs.size(); row++) {
      for (int i = 0; i < outputs.get(row).length; i++) {
        sum += Math.abs(outputs.get(row)[i] - expected.get(row)[i]);
      }
      numbers += outputs.get(row).length;
    }
    return sum / numbers;
  }
}

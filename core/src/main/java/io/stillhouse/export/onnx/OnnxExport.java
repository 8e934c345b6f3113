package io.stillhouse.export.onnx;

import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.export.int8.Calibration;
import io.stillhouse.export.int8.Int8Result;
import io.stillhouse.export.int8.Int8Variant;
import io.stillhouse.export.int8.WeightBits;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes models as ONNX files (opset 12, IR version 7). Inputs and outputs have the names, dtypes
 * and axes that Hugging Face's Optimum gives them: {@code input_ids}, {@code attention_mask} and,
 * if the model reads segments, {@code token_type_ids}, int64 of shape (batch, length); and {@code
 * logits} or, without a head, {@code last_hidden_state}, float32.
 */
public final class OnnxExport {
  /** An upper bound for the size of a model's nodes, names and constants, in bytes. */
  private static final long OVERHEAD = 16 << 20;

  private OnnxExport() {}

  /**
   * Requires that a model fits into an ONNX file.
   *
   * @throws io.stillhouse.error.StillhouseException if the file would exceed 2 GiB
   */
  public static void requireSupported(ModelSpec spec) {
    OnnxFile.requireSize(OVERHEAD + Float.BYTES * spec.parameterCount());
  }

  /** Writes a model in float32. Padding does not change its outputs. */
  public static void write(ModelDirectory model, Path file) throws IOException {
    requireSupported(model.spec());
    Map<String, LazyTensor> weights = withoutUnusedHeads(model.spec(), model.lazyWeights());
    write(model.spec(), weights, new FloatLayers(new Graph(), weights), file);
  }

  /**
   * Writes a model with int8 weights, which is about a quarter of the size of {@link #write}.
   * Activations are quantized when the model runs, and products are computed in integers.
   *
   * @param rows typical inputs of the model, on which the best of several variants is chosen; a few
   *     dozen are enough. If there are fewer than two, or if the model is a BiLSTM, whose LSTM
   *     computes in float32, the plain variant is written
   */
  public static Int8Result writeInt8(
      ModelDirectory model, Path file, WeightBits bits, List<Pairing.Input> rows)
      throws IOException {
    requireSupported(model.spec());
    Map<String, LazyTensor> weights = new LinkedHashMap<>(model.lazyWeights());
    Int8Result result = new Int8Result(Int8Variant.PLAIN, Map.of());
    if (model.spec() instanceof EncoderSpec encoder && rows.size() >= 2) {
      Calibration calibration = Calibration.of(model, encoder, rows, bits);
      weights.putAll(calibration.tensors());
      result = calibration.result();
    }
    weights = withoutUnusedHeads(model.spec(), weights);
    write(model.spec(), weights, new Int8Layers(new Graph(), weights, bits), file);
    return result;
  }

  private static void write(
      ModelSpec spec, Map<String, LazyTensor> weights, Layers layers, Path file)
      throws IOException {
    Graph graph = layers.graph();
    String batch = EncoderInputs.BATCH;
    if (spec instanceof BiLstmSpec biLstm) {
      BiLstmGraph.add(biLstm, weights, layers, BiLstmInputs.of(graph, biLstm.texts()), batch);
    } else {
      EncoderSpec encoder = (EncoderSpec) spec;
      EncoderGraph.add(encoder, weights, layers, EncoderInputs.of(graph, encoder), batch);
    }
    OnnxFile.write(file, graph);
  }

  /**
   * Writes a model in float32 for ncnn's converter, which cannot read the file of {@link #write}.
   * The batch size is 1.
   *
   * <p>An encoder has a float32 mask, and an additional input {@code position_ids}, int64 of shape
   * (1, length): 0, 1, 2 and so on. A BiLSTM has no mask: it reads {@code input_ids} without
   * padding, and the second text of a pair from {@code second_input_ids}.
   */
  public static void writeNcnn(ModelDirectory model, Path file) throws IOException {
    requireSupported(model.spec());
    Graph graph = new Graph();
    if (model.spec() instanceof BiLstmSpec biLstm) {
      Map<String, LazyTensor> weights = model.lazyWeights();
      Layers layers = new FloatLayers(graph, weights);
      BiLstmGraph.add(biLstm, weights, layers, BiLstmInputs.ofOneRow(graph, biLstm.texts()), 1);
    } else {
      EncoderSpec spec = (EncoderSpec) model.spec();
      Map<String, LazyTensor> weights =
          EncoderInputs.withMoreTypes(withoutUnusedHeads(model.spec(), model.lazyWeights()));
      Layers layers = new FloatLayers(graph, weights);
      EncoderGraph.add(spec, weights, layers, EncoderInputs.forNcnn(graph, spec), 1);
    }
    OnnxFile.write(file, graph);
  }

  private static Map<String, LazyTensor> withoutUnusedHeads(
      ModelSpec spec, Map<String, LazyTensor> weights) throws IOException {
    return spec instanceof EncoderSpec encoder ? HeadRemoval.apply(encoder, weights) : weights;
  }
}

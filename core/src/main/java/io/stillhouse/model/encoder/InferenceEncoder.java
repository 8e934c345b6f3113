package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.Activation;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import io.stillhouse.torch.TorchScript;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Runs an encoder's forward pass without gradients. The results equal those of {@link
 * Encoder#forward} up to rounding. On a GPU, that method is called; on a CPU, this class is faster:
 *
 * <ul>
 *   <li>Blocks compute real tokens only, the tokens of all rows packed one after another.
 *   <li>oneDNN multiplies by weights in its own layout, and computes the feed-forward layer's
 *       activation with the product.
 *   <li>Attention is fused, for each run of rows of the same length at once. Rows sorted by length
 *       form few runs.
 * </ul>
 *
 * <p>Scores and value relations are computed a second time if they are kept, so no result depends
 * on what else is kept: a lost column of a cache can be computed again, bit for bit.
 */
public final class InferenceEncoder implements Predictor, AutoCloseable {
  private final Encoder encoder;
  private final PtSymbolBlock ops;
  private final IValue config;
  private final List<IValue> blocks = new ArrayList<>(); // weights; empty on a GPU

  /**
   * Packs an encoder's weights into oneDNN's layout, as a copy.
   *
   * @param encoder its weights must outlive this object
   * @param manager determines the device
   * @param precision precision of the products with weights, on a CPU; the caller checks that the
   *     device supports it
   */
  public InferenceEncoder(Encoder encoder, NDManager manager, Precision precision) {
    EncoderSpec spec = encoder.spec();
    this.encoder = encoder;
    this.ops = TorchScript.compile(manager, InferenceEncoder.class, "inference_encoder.py");
    try (IValue heads = IValue.from((long) spec.heads());
        IValue eps = IValue.from(spec.numerics().layerNormEps());
        IValue dtype = IValue.from((long) precision.scalarType());
        IValue activation =
            IValue.from(spec.blocks().activation() == Activation.RELU ? "relu" : "gelu");
        IValue algorithm =
            IValue.from(spec.blocks().activation().approximatesByTanh() ? "tanh" : "none")) {
      this.config = IValueUtils.runMethod(ops, "config", heads, eps, dtype, activation, algorithm);
    }
    boolean onCpu = !manager.getDevice().isGpu();
    for (int block = 1; onCpu && block <= spec.layers(); block++) {
      blocks.add(block <= spec.distinctBlocks() ? pack(spec.prefixOf(block)) : blocks.get(0));
    }
  }

  private IValue pack(String prefix) {
    List<NDArray> norms = new ArrayList<>();
    for (String norm : List.of("attention.output.LayerNorm", "output.LayerNorm")) {
      norms.add(encoder.weight(prefix + norm + ".weight"));
      norms.add(encoder.weight(prefix + norm + ".bias"));
    }
    try (NDArray qkvWeights = joined(prefix, ".weight");
        NDArray qkvBiases = joined(prefix, ".bias");
        IValue weights = list(qkvWeights, linear(prefix, ".weight"));
        IValue biases = list(qkvBiases, linear(prefix, ".bias"));
        IValue normWeights = TorchScript.list(norms)) {
      return IValueUtils.runMethod(ops, "block_weights", config, weights, biases, normWeights);
    }
  }

  private NDArray joined(String prefix, String kind) {
    NDList parts = new NDList();
    for (AttentionPart part : AttentionPart.values()) {
      parts.add(encoder.weight(part.layer(prefix) + kind));
    }
    return NDArrays.concat(parts);
  }

  private List<NDArray> linear(String prefix, String kind) {
    List<NDArray> tensors = new ArrayList<>();
    for (String layer : List.of("attention.output.dense", "intermediate.dense", "output.dense")) {
      tensors.add(encoder.weight(prefix + layer + kind));
    }
    return tensors;
  }

  private static IValue list(NDArray first, List<NDArray> others) {
    List<NDArray> all = new ArrayList<>(others);
    all.add(0, first);
    return TorchScript.list(all);
  }

  /** Returns the encoder whose weights were packed; it computes the head. */
  public Encoder encoder() {
    return encoder;
  }

  @Override
  public EncoderSpec spec() {
    return encoder.spec();
  }

  @Override
  public NDArray maskedLmLogits(NDArray stateND) {
    return encoder.maskedLmLogits(stateND);
  }

  /**
   * Computes a batch as {@link Encoder#forward} does; results belong to the batch's manager.
   *
   * @throws IllegalArgumentException if {@code capture} requests queries, keys or values, which
   *     only {@link Encoder#forward} returns
   */
  @Override
  public EncoderOutput forward(Batch batch, Capture capture) {
    if (!capture.vectors().isEmpty()) {
      throw new IllegalArgumentException("inference does not return queries, keys or values");
    }
    if (blocks.isEmpty()) {
      return encoder.forward(batch, capture, Dropout.NONE);
    }
    Map<Integer, NDArray> hidden = new HashMap<>();
    Map<Integer, NDArray> scores = new HashMap<>();
    Map<Integer, NDArray> valueRelations = new HashMap<>();
    NDArray last = encoder.embeddings(batch);
    try (Packing packing = Packing.of(ops, batch)) {
      NDArray stateND = packing.unpad(last);
      for (int layer = 0; layer < blocks.size(); layer++) {
        int block = layer + 1;
        if (capture.hidden().contains(layer)) {
          hidden.put(layer, layer == 0 ? last : packing.pad(stateND));
        } else if (layer == 0) {
          last.close();
        }
        Map<String, NDArray> results = block(block, stateND, packing, capture);
        stateND.close();
        stateND = result(results, "output");
        if (capture.scores().contains(block)) {
          scores.put(block, result(results, "scores"));
        }
        if (capture.valueRelations().contains(block)) {
          valueRelations.put(block, result(results, "valueRelations"));
        }
      }
      last = packing.pad(stateND);
      stateND.close();
    }
    if (capture.hidden().contains(blocks.size())) {
      hidden.put(blocks.size(), last);
    }
    NDArray logits =
        encoder.spec().head().task().pooled() ? encoder.taskLogits(last, Dropout.NONE) : null;
    return new EncoderOutput(last, hidden, scores, valueRelations, Map.of(), logits);
  }

  /** Returns the results of the block method of {@code inference_encoder.py}, by name. */
  private Map<String, NDArray> block(int block, NDArray inputND, Packing packing, Capture capture) {
    Map<String, NDArray> results = new HashMap<>();
    try (IValue input = IValue.from((PtNDArray) inputND);
        IValue keepScores = IValue.from(capture.scores().contains(block));
        IValue keepRelations = IValue.from(capture.valueRelations().contains(block));
        IValue all =
            IValueUtils.runMethod(
                ops,
                "block",
                input,
                blocks.get(block - 1),
                config,
                packing.tuple(),
                keepScores,
                keepRelations)) {
      all.toIValueMap()
          .forEach(
              (name, value) -> {
                try (value) {
                  results.put(name, value.toTensor(Autograd.manager(inputND)));
                }
              });
    }
    return results;
  }

  private static NDArray result(Map<String, NDArray> results, String name) {
    return Objects.requireNonNull(results.get(name), name);
  }

  /**
   * The positions of a batch's real tokens.
   *
   * @param tokensN their indices among the padded ones; in Java's memory, so it must live as long
   *     as this record
   * @param tuple the named tuple of {@code inference_encoder.py}
   */
  private record Packing(PtSymbolBlock ops, NDArray tokensN, IValue tuple)
      implements AutoCloseable {

    static Packing of(PtSymbolBlock ops, Batch batch) {
      List<long[]> runs = new ArrayList<>(); // rows and length of each
      for (int row = 0; row < batch.rows(); row++) {
        int length = batch.lengths()[row];
        if (runs.isEmpty() || runs.get(runs.size() - 1)[1] != length) {
          runs.add(new long[] {0, length});
        }
        runs.get(runs.size() - 1)[0]++;
      }
      NDArray tokensN = batch.idsBL().getManager().create(batch.realTokens());
      try (IValue tokens = IValue.from((PtNDArray) tokensN);
          IValue rows = IValue.listFrom(runs.stream().mapToLong(run -> run[0]).toArray());
          IValue lengths = IValue.listFrom(runs.stream().mapToLong(run -> run[1]).toArray());
          IValue count = IValue.from((long) batch.rows());
          IValue longest = IValue.from((long) batch.longest())) {
        IValue tuple = IValueUtils.runMethod(ops, "packing", tokens, rows, lengths, count, longest);
        return new Packing(ops, tokensN, tuple);
      }
    }

    /** Returns the real tokens of a padded state, (N, D). */
    NDArray unpad(NDArray paddedBLD) {
      return tensor("unpad", paddedBLD);
    }

    /** Returns a state with zeros at padding, (B, L, D). */
    NDArray pad(NDArray realND) {
      return tensor("pad", realND);
    }

    private NDArray tensor(String method, NDArray stateND) {
      try (IValue state = IValue.from((PtNDArray) stateND);
          IValue result = IValueUtils.runMethod(ops, method, state, tuple)) {
        return result.toTensor(Autograd.manager(stateND));
      }
    }

    @Override
    public void close() {
      tuple.close();
      tokensN.close();
    }
  }

  @Override
  public void close() {
    Set.copyOf(blocks).forEach(IValue::close); // blocks that share weights are one object
    config.close();
    ops.close();
  }
}

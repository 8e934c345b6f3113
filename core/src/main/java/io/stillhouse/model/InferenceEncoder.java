package io.stillhouse.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.spec.ModelSpec;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * An encoder's forward pass without gradients: the numbers of {@link Encoder#forward} up to
 * rounding, on a CPU in less time. There oneDNN multiplies by weights that were laid out for the
 * processor once, the feed-forward layer's GELU is part of its product, and attention is fused. On
 * a GPU it is {@link Encoder#forward}. Scores are computed once more where they are kept, so that
 * no number depends on what else is kept: a column that is lost is computed anew to the same bits.
 *
 * <p>Tensors of bfloat16 never leave the TorchScript module: DJL has no such dtype.
 */
public final class InferenceEncoder implements AutoCloseable {
  // linear: qkv, attention output, intermediate, output; norm: weight and bias after attention,
  // weight and bias after the feed-forward layer. torch.to returns a tensor of that dtype itself.
  private static final String OPS =
      """
        def pack(self: __torch__.Ops, weights: List[Tensor], dtype: int) -> List[Tensor]:
          packed = annotate(List[Tensor], [])
          for i in range(torch.len(weights)):
            _0 = torch.append(packed, ops.mkldnn._reorder_linear_weight(torch.to(weights[i], dtype), None))
          return packed
        def block(self: __torch__.Ops, inputBLD: Tensor, biasB11L: Tensor, weights: List[Tensor], biases: List[Tensor], norms: List[Tensor], heads: int, eps: float, dtype: int, keep: bool) -> List[Tensor]:
          none = annotate(List[Optional[number]], [])
          batch = torch.size(inputBLD, 0)
          length = torch.size(inputBLD, 1)
          width = torch.size(inputBLD, 2)
          qkv = ops.mkldnn._linear_pointwise(torch.to(inputBLD, dtype), weights[0], biases[0], "none", none, "")
          qkv3BHLK = torch.permute(torch.view(torch.to(qkv, 6), [batch, length, 3, heads, torch.floordiv(width, heads)]), [2, 0, 3, 1, 4])
          queriesBHLK = torch.select(qkv3BHLK, 0, 0)
          keysBHLK = torch.select(qkv3BHLK, 0, 1)
          valuesBHLK = torch.select(qkv3BHLK, 0, 2)
          contextBHLK = torch.scaled_dot_product_attention(queriesBHLK, keysBHLK, valuesBHLK, biasB11L)
          if keep:
            scale = torch.pow(torch.floordiv(width, heads), -0.5)
            scoresBHLL = torch.matmul(torch.mul(queriesBHLK, scale), torch.transpose(keysBHLK, 2, 3))
            relationsBHLL = torch.matmul(torch.mul(valuesBHLK, scale), torch.transpose(valuesBHLK, 2, 3))
            kept = [scoresBHLL, relationsBHLL]
          else:
            kept = annotate(List[Tensor], [])
          contextBLD = torch.reshape(torch.transpose(contextBHLK, 1, 2), [batch, length, width])
          attended = ops.mkldnn._linear_pointwise(torch.to(contextBLD, dtype), weights[1], biases[1], "none", none, "")
          middleBLD = torch.layer_norm(torch.add(torch.to(attended, 6), inputBLD), [width], norms[0], norms[1], eps)
          inner = ops.mkldnn._linear_pointwise(torch.to(middleBLD, dtype), weights[2], biases[2], "gelu", none, "none")
          outer = ops.mkldnn._linear_pointwise(inner, weights[3], biases[3], "none", none, "")
          outputBLD = torch.layer_norm(torch.add(torch.to(outer, 6), middleBLD), [width], norms[2], norms[3], eps)
          return torch.add([outputBLD], kept)
      """
          .indent(0);

  private final Encoder encoder;
  private final PtSymbolBlock ops;
  private final List<Block> blocks = new ArrayList<>();
  private final IValue heads;
  private final IValue eps;
  private final IValue dtype;

  /** The tensors of one block, as lists of libtorch's. */
  private record Block(IValue weights, IValue biases, IValue norms) {}

  /**
   * Packs an encoder's weights, beside those it has.
   *
   * @param encoder its weights outlive this
   * @param manager holds what is packed
   * @throws io.stillhouse.error.StillhouseException if the processor lacks the precision
   */
  public InferenceEncoder(Encoder encoder, NDManager manager, Precision precision) {
    boolean onCpu = !manager.getDevice().isGpu();
    precision.requireDevice(manager.getDevice());
    this.encoder = encoder;
    this.ops = TorchScript.compile(manager, OPS);
    this.heads = IValue.from((long) encoder.spec().heads());
    this.eps = IValue.from(encoder.spec().numerics().layerNormEps());
    this.dtype = IValue.from((long) precision.scalarType());
    for (int block = 1; onCpu && block <= encoder.spec().layers(); block++) {
      blocks.add(pack(ModelSpec.blockPrefix(block)));
    }
  }

  private Block pack(String prefix) {
    try (NDArray qkvWeights = joined(prefix, ".weight");
        NDArray qkvBiases = joined(prefix, ".bias");
        IValue plain = list(qkvWeights, linear(prefix, ".weight"))) {
      List<NDArray> norms = new ArrayList<>();
      for (String norm : List.of("attention.output.LayerNorm", "output.LayerNorm")) {
        norms.add(encoder.weight(prefix + norm + ".weight"));
        norms.add(encoder.weight(prefix + norm + ".bias"));
      }
      return new Block(
          IValueUtils.runMethod(ops, "pack", plain, dtype),
          list(qkvBiases, linear(prefix, ".bias")),
          list(norms.get(0), norms.subList(1, 4)));
    }
  }

  private NDArray joined(String prefix, String kind) {
    NDList parts = new NDList();
    for (String part : List.of("query", "key", "value")) {
      parts.add(encoder.weight(prefix + "attention.self." + part + kind));
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
    return IValue.listFrom(all.stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new));
  }

  /** Returns the encoder whose weights these are: its head, and its pass with gradients. */
  public Encoder encoder() {
    return encoder;
  }

  /** Computes a batch as {@link Encoder#forward} does; results belong to the batch's manager. */
  public EncoderOutput forward(Batch batch, Capture capture) {
    if (blocks.isEmpty()) {
      return encoder.forward(batch, capture, Encoder.Phase.INFERENCE);
    }
    Map<Integer, NDArray> hidden = new HashMap<>();
    Map<Integer, NDArray> scores = new HashMap<>();
    Map<Integer, NDArray> valueRelations = new HashMap<>();
    NDArray stateBLD = encoder.embeddings(batch);
    try (NDArray biasB11L = encoder.paddingBias(batch)) {
      for (int layer = 0; layer < blocks.size(); layer++) {
        int block = layer + 1;
        boolean keepScores = capture.scores().contains(block);
        boolean keepRelations = capture.valueRelations().contains(block);
        PtNDArray[] results =
            run(blocks.get(layer), stateBLD, biasB11L, keepScores || keepRelations);
        if (capture.hidden().contains(layer)) {
          hidden.put(layer, stateBLD);
        } else {
          stateBLD.close();
        }
        stateBLD = results[0];
        if (results.length > 1) {
          keep(results[1], keepScores, block, scores);
          keep(results[2], keepRelations, block, valueRelations);
        }
      }
    }
    if (capture.hidden().contains(blocks.size())) {
      hidden.put(blocks.size(), stateBLD);
    }
    NDArray logits =
        encoder.spec().head().task().pooled()
            ? encoder.taskLogits(stateBLD, Encoder.Phase.INFERENCE)
            : null;
    return new EncoderOutput(stateBLD, hidden, scores, valueRelations, logits);
  }

  private static void keep(NDArray result, boolean wanted, int block, Map<Integer, NDArray> to) {
    if (wanted) {
      to.put(block, result);
    } else {
      result.close();
    }
  }

  private PtNDArray[] run(Block block, NDArray inputBLD, NDArray biasB11L, boolean keep) {
    try (IValue input = IValue.from((PtNDArray) inputBLD);
        IValue bias = IValue.from((PtNDArray) biasB11L);
        IValue keepAttention = IValue.from(keep);
        IValue results =
            IValueUtils.runMethod(
                ops,
                "block",
                input,
                bias,
                block.weights(),
                block.biases(),
                block.norms(),
                heads,
                eps,
                dtype,
                keepAttention)) {
      return results.toTensorArray(Autograd.manager(inputBLD));
    }
  }

  @Override
  public void close() {
    for (Block block : blocks) {
      block.weights().close();
      block.biases().close();
      block.norms().close();
    }
    heads.close();
    eps.close();
    dtype.close();
    ops.close();
  }
}

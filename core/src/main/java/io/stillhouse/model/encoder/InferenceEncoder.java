package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.config.Options;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import io.stillhouse.torch.TorchScript;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * An encoder's forward pass without gradients: the numbers of {@link Encoder#forward} up to
 * rounding, on a CPU in less time. There the blocks see real tokens alone, all rows one after
 * another, so padding costs nothing; oneDNN multiplies them by weights that were laid out for the
 * processor once; the feed-forward layer's GELU is part of its product; and attention is fused, for
 * all rows of one length at once (rows sorted by length make few such groups). On a GPU it is
 * {@link Encoder#forward}. Scores are computed once more where they are kept, so that no number
 * depends on what else is kept: a column that is lost is computed anew to the same bits.
 *
 * <p>Tensors of bfloat16 never leave the TorchScript module: DJL has no such dtype.
 */
public final class InferenceEncoder implements Predictor, AutoCloseable {
  // N: real tokens of all rows. weights and biases: qkv, attention output, intermediate, output;
  // norms: weight and bias after attention, weight and bias after the feed-forward layer. rows and
  // lengths: of each run of equally long rows. torch.to returns a tensor of that dtype itself.
  private static final String OPS =
      """
        def pack(self: __torch__.Ops, weights: List[Tensor], dtype: int) -> List[Tensor]:
          packed = annotate(List[Tensor], [])
          for i in range(torch.len(weights)):
            _0 = torch.append(packed, ops.mkldnn._reorder_linear_weight(torch.to(weights[i], dtype), None))
          return packed
        def unpad(self: __torch__.Ops, paddedBLD: Tensor, tokensN: Tensor) -> Tensor:
          return torch.index_select(torch.flatten(paddedBLD, 0, 1), 0, tokensN)
        def pad(self: __torch__.Ops, realND: Tensor, tokensN: Tensor, batch: int, length: int) -> Tensor:
          width = torch.size(realND, 1)
          flat = torch.new_zeros(realND, [torch.mul(batch, length), width])
          return torch.view(torch.index_copy_(flat, 0, tokensN, realND), [batch, length, width])
        def parts(self: __torch__.Ops, qkvNE: Tensor, at: int, rows: int, length: int, heads: int) -> Tensor:
          size = torch.floordiv(torch.size(qkvNE, 1), torch.mul(3, heads))
          own = torch.narrow(qkvNE, 0, at, torch.mul(rows, length))
          return torch.permute(torch.view(own, [rows, length, 3, heads, size]), [2, 0, 3, 1, 4])
        def attend(self: __torch__.Ops, qkvNE: Tensor, rows: List[int], lengths: List[int], heads: int) -> Tensor:
          width = torch.floordiv(torch.size(qkvNE, 1), 3)
          contexts = annotate(List[Tensor], [])
          at = 0
          for i in range(torch.len(rows)):
            qkv3BHLK = (self).parts(qkvNE, at, rows[i], lengths[i], heads, )
            contextBHLK = torch.scaled_dot_product_attention(torch.select(qkv3BHLK, 0, 0), torch.select(qkv3BHLK, 0, 1), torch.select(qkv3BHLK, 0, 2))
            tokens = torch.mul(rows[i], lengths[i])
            _0 = torch.append(contexts, torch.reshape(torch.transpose(contextBHLK, 1, 2), [tokens, width]))
            at = torch.add(at, tokens)
          return torch.cat(contexts)
        def products(self: __torch__.Ops, qkvNE: Tensor, rows: List[int], lengths: List[int], heads: int, left: int, right: int, batch: int, length: int) -> Tensor:
          scale = torch.pow(torch.floordiv(torch.size(qkvNE, 1), torch.mul(3, heads)), -0.5)
          productsBHLL = torch.new_zeros(qkvNE, [batch, heads, length, length])
          at = 0
          row = 0
          for i in range(torch.len(rows)):
            qkv3BHLK = (self).parts(qkvNE, at, rows[i], lengths[i], heads, )
            own = torch.matmul(torch.mul(torch.select(qkv3BHLK, 0, left), scale), torch.transpose(torch.select(qkv3BHLK, 0, right), 2, 3))
            _0 = torch.copy_(torch.narrow(torch.narrow(torch.narrow(productsBHLL, 0, row, rows[i]), 2, 0, lengths[i]), 3, 0, lengths[i]), own)
            at = torch.add(at, torch.mul(rows[i], lengths[i]))
            row = torch.add(row, rows[i])
          return productsBHLL
        def block(self: __torch__.Ops, inputND: Tensor, weights: List[Tensor], biases: List[Tensor], norms: List[Tensor], rows: List[int], lengths: List[int], heads: int, eps: float, dtype: int, batch: int, length: int, scores: bool, relations: bool) -> List[Tensor]:
          none = annotate(List[Optional[number]], [])
          width = torch.size(inputND, 1)
          qkvNE = torch.to(ops.mkldnn._linear_pointwise(torch.to(inputND, dtype), weights[0], biases[0], "none", none, ""), 6)
          contextND = (self).attend(qkvNE, rows, lengths, heads, )
          attended = ops.mkldnn._linear_pointwise(torch.to(contextND, dtype), weights[1], biases[1], "none", none, "")
          middleND = torch.layer_norm(torch.add(torch.to(attended, 6), inputND), [width], norms[0], norms[1], eps)
          inner = ops.mkldnn._linear_pointwise(torch.to(middleND, dtype), weights[2], biases[2], "gelu", none, "none")
          outer = ops.mkldnn._linear_pointwise(inner, weights[3], biases[3], "none", none, "")
          results = [torch.layer_norm(torch.add(torch.to(outer, 6), middleND), [width], norms[2], norms[3], eps)]
          if scores:
            _0 = torch.append(results, (self).products(qkvNE, rows, lengths, heads, 0, 1, batch, length, ))
          else:
            pass
          if relations:
            _1 = torch.append(results, (self).products(qkvNE, rows, lengths, heads, 2, 2, batch, length, ))
          else:
            pass
          return results
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
    if (onCpu) {
      precision.requireProcessor(Options.CACHE_PRECISION.key());
    } else {
      precision.requireProcessor(Options.CACHE_PRECISION.key(), "");
    }
    this.encoder = encoder;
    this.ops = TorchScript.compile(manager, OPS);
    this.heads = IValue.from((long) encoder.spec().heads());
    this.eps = IValue.from(encoder.spec().numerics().layerNormEps());
    this.dtype = IValue.from((long) precision.scalarType());
    EncoderSpec spec = encoder.spec();
    for (int block = 1; onCpu && block <= spec.layers(); block++) {
      blocks.add(block <= spec.distinctBlocks() ? pack(spec.prefixOf(block)) : blocks.get(0));
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
   * @throws IllegalArgumentException if queries, keys or values are to be kept
   */
  @Override
  public EncoderOutput forward(Batch batch, Capture capture) {
    if (!capture.vectors().isEmpty()) {
      throw new IllegalArgumentException(
          "queries, keys and values are kept by recorded passes alone");
    }
    if (blocks.isEmpty()) {
      return encoder.forward(batch, capture, Dropout.NONE);
    }
    Map<Integer, NDArray> hidden = new HashMap<>();
    Map<Integer, NDArray> scores = new HashMap<>();
    Map<Integer, NDArray> valueRelations = new HashMap<>();
    NDArray last = encoder.embeddings(batch);
    try (Packing packing = Packing.of(batch)) {
      NDArray stateND = packing.unpad(ops, last);
      for (int layer = 0; layer < blocks.size(); layer++) {
        int block = layer + 1;
        if (capture.hidden().contains(layer)) {
          hidden.put(layer, layer == 0 ? last : packing.pad(ops, stateND));
        } else if (layer == 0) {
          last.close();
        }
        boolean keepScores = capture.scores().contains(block);
        boolean keepRelations = capture.valueRelations().contains(block);
        PtNDArray[] results = run(blocks.get(layer), stateND, packing, keepScores, keepRelations);
        stateND.close();
        stateND = results[0];
        if (keepScores) {
          scores.put(block, results[1]);
        }
        if (keepRelations) {
          valueRelations.put(block, results[results.length - 1]);
        }
      }
      last = packing.pad(ops, stateND);
      stateND.close();
    }
    if (capture.hidden().contains(blocks.size())) {
      hidden.put(blocks.size(), last);
    }
    NDArray logits =
        encoder.spec().head().task().pooled() ? encoder.taskLogits(last, Dropout.NONE) : null;
    return new EncoderOutput(last, hidden, scores, valueRelations, Map.of(), logits);
  }

  private PtNDArray[] run(
      Block block, NDArray inputND, Packing packing, boolean keepScores, boolean keepRelations) {
    try (IValue input = IValue.from((PtNDArray) inputND);
        IValue wantScores = IValue.from(keepScores);
        IValue wantRelations = IValue.from(keepRelations);
        IValue results =
            IValueUtils.runMethod(
                ops,
                "block",
                input,
                block.weights(),
                block.biases(),
                block.norms(),
                packing.rows(),
                packing.lengths(),
                heads,
                eps,
                dtype,
                packing.batch(),
                packing.longest(),
                wantScores,
                wantRelations)) {
      return results.toTensorArray(Autograd.manager(inputND));
    }
  }

  /**
   * Where the real tokens of a batch are.
   *
   * @param indices the real tokens' among the padded ones, (N); their memory is Java's, so it lives
   *     as long as this
   * @param tokens the same for a call
   * @param rows how many rows each run of equally long ones has
   * @param lengths of the rows of each run
   * @param batch number of rows
   * @param longest padded length
   */
  private record Packing(
      NDArray indices, IValue tokens, IValue rows, IValue lengths, IValue batch, IValue longest)
      implements AutoCloseable {

    static Packing of(Batch batch) {
      List<long[]> runs = new ArrayList<>(); // rows and length of each
      for (int row = 0; row < batch.rows(); row++) {
        int length = batch.lengths()[row];
        if (runs.isEmpty() || runs.get(runs.size() - 1)[1] != length) {
          runs.add(new long[] {0, length});
        }
        runs.get(runs.size() - 1)[0]++;
      }
      NDArray indices = batch.idsBL().getManager().create(batch.realTokens());
      return new Packing(
          indices,
          IValue.from((PtNDArray) indices),
          IValue.listFrom(runs.stream().mapToLong(run -> run[0]).toArray()),
          IValue.listFrom(runs.stream().mapToLong(run -> run[1]).toArray()),
          IValue.from((long) batch.rows()),
          IValue.from((long) batch.longest()));
    }

    /** Returns the real tokens of a padded state, (N, D). */
    NDArray unpad(PtSymbolBlock ops, NDArray paddedBLD) {
      try (IValue padded = IValue.from((PtNDArray) paddedBLD);
          IValue real = IValueUtils.runMethod(ops, "unpad", padded, tokens)) {
        return real.toTensor(Autograd.manager(paddedBLD));
      }
    }

    /** Returns a state with zeros at padding, (B, L, D). */
    NDArray pad(PtSymbolBlock ops, NDArray realND) {
      try (IValue real = IValue.from((PtNDArray) realND);
          IValue padded = IValueUtils.runMethod(ops, "pad", real, tokens, batch, longest)) {
        return padded.toTensor(Autograd.manager(realND));
      }
    }

    @Override
    public void close() {
      tokens.close();
      indices.close();
      rows.close();
      lengths.close();
      batch.close();
      longest.close();
    }
  }

  @Override
  public void close() {
    for (Block block : Set.copyOf(blocks)) { // blocks that share weights are one
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

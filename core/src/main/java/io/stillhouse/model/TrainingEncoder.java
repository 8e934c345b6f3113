package io.stillhouse.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.spec.ModelSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The pass of an {@link Encoder} forward and backward, with its derivatives written out. Linear
 * layers see real tokens alone, one after another; attention sees them padded. Gradients are added
 * where they are kept, the word table's only in the rows that were read; the recorded pass would
 * make a table of zeros for each batch, and add it up.
 *
 * <p>What losses read of a pass are leaves: their own backward pass ends there, and {@link
 * Pass#backward} goes on.
 */
public final class TrainingEncoder implements AutoCloseable {
  private static final String WORDS = "bert.embeddings.word_embeddings.weight";
  private static final String POSITIONS = "bert.embeddings.position_embeddings.weight";
  private static final String SEGMENTS = "bert.embeddings.token_type_embeddings.weight";
  private static final String NORM = "bert.embeddings.LayerNorm";

  /** Of a block, in the order in which the code below counts them. */
  private static final List<String> LAYERS =
      List.of("attention.output.dense", "intermediate.dense", "output.dense");

  private static final List<String> NORMS =
      List.of("attention.output.LayerNorm", "output.LayerNorm");

  /** oneDNN's product is the faster one on a processor, and there alone. */
  private static final String ONE_DNN =
      "ops.mkldnn._linear_pointwise(inputND, weight, bias, \"none\", annotate(List[Optional[number]], []), \"\")";

  private static final String PLAIN = "torch.linear(inputND, weight, bias)";

  // A mask list is empty where nothing is dropped. `saved`: input, q scaled, k, v, probabilities,
  // context, first sum with its mean and deviation, middle, inner before and after GELU, second sum
  // with its mean and deviation.
  private static final String OPS =
      """
        def pad(self: __torch__.Ops, realND: Tensor, tokensN: Tensor, batch: int, length: int) -> Tensor:
          width = torch.size(realND, 1)
          if torch.eq(torch.size(realND, 0), torch.mul(batch, length)):
            padded = torch.view(realND, [batch, length, width])
          else:
            zeros = torch.new_zeros(realND, [torch.mul(batch, length), width])
            padded = torch.view(torch.index_copy_(zeros, 0, tokensN, realND), [batch, length, width])
          return padded
        def unpad(self: __torch__.Ops, paddedBLD: Tensor, tokensN: Tensor) -> Tensor:
          flat = torch.flatten(paddedBLD, 0, 1)
          if torch.eq(torch.size(flat, 0), torch.size(tokensN, 0)):
            real = flat
          else:
            real = torch.index_select(flat, 0, tokensN)
          return real
        def linear(self: __torch__.Ops, inputND: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
          return LINEAR
        def embed(self: __torch__.Ops, ids: List[Tensor], tables: List[Tensor], norms: List[Tensor], eps: float, masks: List[Tensor]) -> List[Tensor]:
          sum = torch.index_select(tables[0], 0, ids[0])
          _0 = torch.add_(sum, torch.index_select(tables[1], 0, ids[1]))
          _1 = torch.add_(sum, torch.index_select(tables[2], 0, ids[2]))
          state, mean, rstd = torch.native_layer_norm(sum, [torch.size(sum, 1)], norms[0], norms[1], eps)
          if torch.gt(torch.len(masks), 0):
            _2 = torch.mul_(state, masks[0])
          else:
            pass
          return [state, sum, mean, rstd]
        def embed_backward(self: __torch__.Ops, gradND: Tensor, ids: List[Tensor], saved: List[Tensor], norms: List[Tensor], masks: List[Tensor], grads: List[Tensor]) -> NoneType:
          if torch.gt(torch.len(masks), 0):
            grad = torch.mul(gradND, masks[0])
          else:
            grad = gradND
          sum, weight, bias = torch.native_layer_norm_backward(grad, saved[1], [torch.size(grad, 1)], saved[2], saved[3], norms[0], norms[1], [True, True, True])
          _0 = torch.index_add_(grads[0], 0, ids[0], sum)
          _1 = torch.add_(grads[1], torch.embedding_dense_backward(sum, ids[1], torch.size(grads[1], 0), -1, False))
          _2 = torch.add_(grads[2], torch.embedding_dense_backward(sum, ids[2], torch.size(grads[2], 0), -1, False))
          _3 = torch.add_(grads[3], weight)
          _4 = torch.add_(grads[4], bias)
          return None
        def block(self: __torch__.Ops, inputND: Tensor, weights: List[Tensor], biases: List[Tensor], norms: List[Tensor], tokensN: Tensor, biasB11L: Tensor, heads: int, eps: float, dropped: List[Tensor], masks: List[Tensor]) -> List[Tensor]:
          width = torch.size(inputND, 1)
          batch = torch.size(biasB11L, 0)
          length = torch.size(biasB11L, 3)
          headSize = torch.floordiv(width, heads)
          qkvBLE = (self).pad((self).linear(inputND, weights[0], biases[0], ), tokensN, batch, length, )
          qkv3BHLK = torch.permute(torch.view(qkvBLE, [batch, length, 3, heads, headSize]), [2, 0, 3, 1, 4])
          q = torch.mul(torch.select(qkv3BHLK, 0, 0), torch.pow(headSize, -0.5))
          k = torch.contiguous(torch.select(qkv3BHLK, 0, 1))
          v = torch.contiguous(torch.select(qkv3BHLK, 0, 2))
          scores = torch.matmul(q, torch.transpose(k, 2, 3))
          probabilities = torch.softmax(torch.add(scores, biasB11L), -1)
          if torch.gt(torch.len(dropped), 0):
            kept = torch.mul(probabilities, dropped[0])
          else:
            kept = probabilities
          contextBLD = torch.reshape(torch.transpose(torch.matmul(kept, v), 1, 2), [batch, length, width])
          context = (self).unpad(contextBLD, tokensN, )
          first = (self).linear(context, weights[1], biases[1], )
          if torch.gt(torch.len(masks), 0):
            _0 = torch.mul_(first, masks[0])
          else:
            pass
          _1 = torch.add_(first, inputND)
          middle, mean1, rstd1 = torch.native_layer_norm(first, [width], norms[0], norms[1], eps)
          inner = (self).linear(middle, weights[2], biases[2], )
          active = torch.gelu(inner)
          second = (self).linear(active, weights[3], biases[3], )
          if torch.gt(torch.len(masks), 0):
            _2 = torch.mul_(second, masks[1])
          else:
            pass
          _3 = torch.add_(second, middle)
          output, mean2, rstd2 = torch.native_layer_norm(second, [width], norms[2], norms[3], eps)
          return [output, scores, inputND, q, k, v, probabilities, context, first, mean1, rstd1, middle, inner, active, second, mean2, rstd2]
        def linear_backward(self: __torch__.Ops, gradND: Tensor, inputNE: Tensor, weightGrad: Tensor, biasGrad: Tensor) -> NoneType:
          _0 = torch.addmm_(weightGrad, torch.t(gradND), inputNE)
          _1 = torch.add_(biasGrad, torch.sum(gradND, [0]))
          return None
        def block_backward(self: __torch__.Ops, gradND: Tensor, scoreGrads: List[Tensor], saved: List[Tensor], weights: List[Tensor], norms: List[Tensor], tokensN: Tensor, heads: int, dropped: List[Tensor], masks: List[Tensor], weightGrads: List[Tensor], biasGrads: List[Tensor], normGrads: List[Tensor]) -> Tensor:
          width = torch.size(gradND, 1)
          batch = torch.size(saved[6], 0)
          length = torch.size(saved[6], 2)
          headSize = torch.floordiv(width, heads)
          second, w2, b2 = torch.native_layer_norm_backward(gradND, saved[14], [width], saved[15], saved[16], norms[2], norms[3], [True, True, True])
          _0 = torch.add_(normGrads[2], w2)
          _1 = torch.add_(normGrads[3], b2)
          if torch.gt(torch.len(masks), 0):
            outer = torch.mul(second, masks[1])
          else:
            outer = second
          _2 = (self).linear_backward(outer, saved[13], weightGrads[5], biasGrads[5], )
          inner = torch.gelu_backward(torch.mm(outer, weights[3]), saved[12])
          _3 = (self).linear_backward(inner, saved[11], weightGrads[4], biasGrads[4], )
          middle = torch.addmm(second, inner, weights[2])
          first, w1, b1 = torch.native_layer_norm_backward(middle, saved[8], [width], saved[9], saved[10], norms[0], norms[1], [True, True, True])
          _4 = torch.add_(normGrads[0], w1)
          _5 = torch.add_(normGrads[1], b1)
          if torch.gt(torch.len(masks), 0):
            attended = torch.mul(first, masks[0])
          else:
            attended = first
          _6 = (self).linear_backward(attended, saved[7], weightGrads[3], biasGrads[3], )
          contextBLD = (self).pad(torch.mm(attended, weights[1]), tokensN, batch, length, )
          context = torch.transpose(torch.view(contextBLD, [batch, length, heads, headSize]), 1, 2)
          keptGrad = torch.matmul(context, torch.transpose(saved[5], 2, 3))
          if torch.gt(torch.len(dropped), 0):
            _7 = torch.mul_(keptGrad, dropped[0])
            kept = torch.mul(saved[6], dropped[0])
          else:
            kept = saved[6]
          values = torch.matmul(torch.transpose(kept, 2, 3), context)
          scores = torch._softmax_backward_data(keptGrad, saved[6], -1, 6)
          if torch.gt(torch.len(scoreGrads), 0):
            _8 = torch.add_(scores, scoreGrads[0])
          else:
            pass
          queries = torch.mul(torch.matmul(scores, saved[4]), torch.pow(headSize, -0.5))
          keys = torch.matmul(torch.transpose(scores, 2, 3), saved[3])
          qkv3BHLK = torch.stack([queries, keys, values])
          qkvBLE = torch.reshape(torch.permute(qkv3BHLK, [1, 3, 0, 2, 4]), [batch, length, torch.mul(3, width)])
          qkv = (self).unpad(qkvBLE, tokensN, )
          for i in range(3):
            part = torch.narrow(qkv, 1, torch.mul(i, width), width)
            _9 = (self).linear_backward(part, saved[2], weightGrads[i], biasGrads[i], )
          return torch.addmm(first, qkv, weights[0])
      """
          .indent(0);

  private final Encoder encoder;
  private final PtSymbolBlock ops;
  private final IValue heads;
  private final IValue eps;
  private final List<Block> blocks = new ArrayList<>();
  private final Block embeddings;
  private final List<Joined> joined = new ArrayList<>();
  private final List<NDArray> grads = new ArrayList<>();

  /** Copies of weights in one tensor, and the weights. */
  private record Joined(NDArray copy, List<NDArray> parts) {}

  /**
   * The tensors of one block, or of the embeddings, as lists of libtorch's.
   *
   * @param weights query, key and value joined, then those of {@link #LAYERS}; or the tables
   * @param biases in the same order; none of the embeddings
   */
  private record Block(IValue weights, IValue biases, IValue norms, Gradients gradients) {}

  /**
   * Where gradients of a block are kept: made when the first one comes, since the optimiser passes
   * over weights that no loss reads.
   */
  private final class Gradients {
    private final List<List<NDArray>> of;
    private @Nullable List<IValue> kept;

    Gradients(List<List<NDArray>> of) {
      this.of = of;
    }

    /** Returns those of each list of weights. */
    List<IValue> kept() {
      List<IValue> now = kept;
      if (now == null) {
        now = of.stream().map(weights -> list(zeros(weights))).toList();
        kept = now;
      }
      return now;
    }
  }

  /**
   * Prepares the weights.
   *
   * @param encoder its weights require gradients, and are trained in place
   * @param manager owns what this holds
   */
  public TrainingEncoder(Encoder encoder, NDManager manager) {
    this.encoder = encoder;
    this.ops =
        TorchScript.compile(
            manager, OPS.replace("LINEAR", manager.getDevice().isGpu() ? PLAIN : ONE_DNN));
    this.heads = IValue.from((long) encoder.spec().heads());
    this.eps = IValue.from(encoder.spec().numerics().layerNormEps());
    List<NDArray> tables = weights(List.of(WORDS, POSITIONS, SEGMENTS));
    List<NDArray> norms = weights(List.of(NORM + ".weight", NORM + ".bias"));
    List<NDArray> all = new ArrayList<>(tables);
    all.addAll(norms);
    this.embeddings =
        new Block(list(tables), list(List.of()), list(norms), new Gradients(List.of(all)));
    for (int block = 1; block <= encoder.spec().layers(); block++) {
      blocks.add(block(ModelSpec.blockPrefix(block)));
    }
  }

  private Block block(String prefix) {
    List<String> parts = new ArrayList<>();
    for (String part : List.of("query", "key", "value")) {
      parts.add(prefix + "attention.self." + part);
    }
    LAYERS.forEach(layer -> parts.add(prefix + layer));
    List<NDArray> weights = weights(parts.stream().map(part -> part + ".weight").toList());
    List<NDArray> biases = weights(parts.stream().map(part -> part + ".bias").toList());
    List<String> normNames = new ArrayList<>();
    NORMS.forEach(
        norm -> normNames.addAll(List.of(prefix + norm + ".weight", prefix + norm + ".bias")));
    List<NDArray> norms = weights(normNames);
    return new Block(
        list(joined(weights)),
        list(joined(biases)),
        list(norms),
        new Gradients(List.of(weights, biases, norms)));
  }

  /** Returns a copy of the first three in one, and the others as they are. */
  private List<NDArray> joined(List<NDArray> parts) {
    List<NDArray> three = parts.subList(0, 3);
    joined.add(new Joined(NDArrays.concat(new NDList(three)), three));
    List<NDArray> all = new ArrayList<>(parts.subList(3, parts.size()));
    all.add(0, joined.get(joined.size() - 1).copy());
    return all;
  }

  private List<NDArray> weights(List<String> names) {
    return names.stream().map(encoder::weight).toList();
  }

  /** Gives weights gradients of 0, and returns these. */
  private List<NDArray> zeros(List<NDArray> of) {
    Autograd.record(Autograd.Mode.ON);
    List<NDArray> kept = new ArrayList<>();
    for (NDArray weight : of) {
      try (NDManager scope = weight.getManager().newSubManager()) {
        NDArray none = scope.zeros(weight.getShape());
        weight.tempAttach(scope);
        Autograd.backward(weight.mul(none).sum());
      }
      NDArray grad = Objects.requireNonNull(Autograd.gradient(weight));
      grads.add(grad);
      kept.add(grad);
    }
    Autograd.record(Autograd.Mode.OFF);
    return kept;
  }

  private static IValue list(List<NDArray> arrays) {
    return IValue.listFrom(arrays.stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new));
  }

  /** Takes over what a step has made of the weights that this holds copies of. */
  public void refresh() {
    for (Joined one : joined) {
      try (NDArray now = NDArrays.concat(new NDList(one.parts()))) {
        now.copyTo(one.copy());
      }
    }
  }

  /** Computes a batch. */
  public Pass forward(Batch batch, Capture capture, Dropout dropout) {
    return new Pass(batch, capture, dropout);
  }

  /** One batch: what it gives, and its way back. Everything belongs to the batch's manager. */
  public final class Pass implements AutoCloseable {
    private final NDManager manager;
    private final Batch batch;
    private final IValue tokens;
    private final IValue ids;
    private final IValue embeddingMasks;
    private final List<IValue> dropped = new ArrayList<>();
    private final List<IValue> masks = new ArrayList<>();
    private final List<PtNDArray[]> saved = new ArrayList<>();
    private final Map<Integer, NDArray> hidden = new TreeMap<>();
    private final Map<Integer, NDArray> scores = new TreeMap<>();
    private final NDArray last;
    private final EncoderOutput output;

    private Pass(Batch batch, Capture capture, Dropout dropout) {
      this.manager = batch.idsBL().getManager();
      this.batch = batch;
      ModelSpec spec = encoder.spec();
      long[] real = batch.realTokens();
      NDArray tokensN = inLibtorch(real);
      this.tokens = IValue.from((PtNDArray) tokensN);
      long[] positions = Arrays.stream(real).map(token -> token % batch.longest()).toArray();
      this.ids =
          list(
              List.of(
                  unpadded(batch.idsBL(), tokensN),
                  inLibtorch(positions),
                  unpadded(batch.typesBL(), tokensN)));
      double hiddenRate = spec.numerics().hiddenDropout();
      Shape stateND = new Shape(real.length, spec.hiddenSize());
      this.embeddingMasks = masks(dropout, hiddenRate, stateND, 1);
      PtNDArray[] embedded =
          call("embed", ids, embeddings.weights(), embeddings.norms(), eps, embeddingMasks);
      saved.add(embedded);
      NDArray state = embedded[0];
      keep(capture, 0, state);
      NDArray bias = encoder.paddingBias(batch);
      Shape pairs = new Shape(batch.rows(), spec.heads(), batch.longest(), batch.longest());
      try (IValue biasB11L = IValue.from((PtNDArray) bias)) {
        for (int block = 1; block <= blocks.size(); block++) {
          dropped.add(masks(dropout, spec.numerics().attentionDropout(), pairs, 1));
          masks.add(masks(dropout, hiddenRate, stateND, 2));
          Block own = blocks.get(block - 1);
          try (IValue input = IValue.from((PtNDArray) state)) {
            PtNDArray[] results =
                call(
                    "block",
                    input,
                    own.weights(),
                    own.biases(),
                    own.norms(),
                    tokens,
                    biasB11L,
                    heads,
                    eps,
                    dropped.get(block - 1),
                    masks.get(block - 1));
            state = results[0];
            if (capture.scores().contains(block)) {
              scores.put(block, leaf(results[1]));
            }
            results[1].close();
            saved.add(Arrays.copyOfRange(results, 2, results.length));
          }
          keep(capture, block, state);
        }
      }
      NDArray kept = hidden.get(blocks.size());
      this.last = kept == null ? leaf(state) : kept;
      Autograd.record(Autograd.Mode.ON); // the head's own pass is recorded
      NDArray logits = spec.head().task().pooled() ? logits(real, dropout) : null;
      this.output = new EncoderOutput(last, hidden, scores, Map.of(), logits);
    }

    private void keep(Capture capture, int layer, NDArray stateND) {
      if (capture.hidden().contains(layer)) {
        hidden.put(layer, leaf(stateND));
      }
    }

    /**
     * Returns a copy that losses are computed on, of a state as (1, N, D): what DJL's calls of
     * TorchScript give can take no gradient.
     */
    private NDArray leaf(NDArray result) {
      Shape shape = result.getShape();
      NDArray view =
          shape.dimension() == 2 ? result.reshape(1, shape.get(0), shape.get(1)) : result;
      NDArray leaf = view.duplicate();
      leaf.setRequiresGradient(true);
      return leaf;
    }

    /** Returns the head's logits: it reads the first token of each row. */
    private NDArray logits(long[] real, Dropout dropout) {
      long[] firsts = new long[batch.rows()];
      for (int token = 0, row = 0; token < real.length; token++) {
        if (real[token] % batch.longest() == 0) {
          firsts[row++] = token;
        }
      }
      NDArray firstsB = inLibtorch(firsts);
      NDArray firstBD =
          firstsB
              .getNDArrayInternal()
              .embedding(firstsB, last.reshape(real.length, -1), SparseFormat.DENSE)
              .singletonOrThrow();
      return encoder.taskLogits(firstBD.reshape(batch.rows(), 1, -1), dropout);
    }

    /** Returns what losses read: hidden states, scores and the last state are leaves. */
    public EncoderOutput output() {
      return output;
    }

    /** Adds the gradients of the weights, once those of the leaves are there. */
    public void backward() {
      Autograd.record(Autograd.Mode.OFF);
      NDArray grad = null;
      for (int block = blocks.size(); block > 0; block--) {
        grad = plus(grad, gradient(block == blocks.size() ? last : hidden.get(block)));
        NDArray ofScores = scores.containsKey(block) ? Autograd.gradient(scores.get(block)) : null;
        if (grad == null && ofScores == null) {
          continue; // no loss reads this block, or one above it
        }
        if (grad == null) {
          grad = manager.zeros(saved.get(block)[0].getShape());
        }
        grad = blockBackward(block, grad, ofScores);
      }
      grad = plus(grad, gradient(hidden.get(0)));
      if (grad != null) {
        try (IValue gradND = IValue.from((PtNDArray) grad);
            IValue state = IValue.listFrom(saved.get(0))) {
          IValueUtils.runMethod(
                  ops,
                  "embed_backward",
                  gradND,
                  ids,
                  state,
                  embeddings.norms(),
                  embeddingMasks,
                  embeddings.gradients().kept().get(0))
              .close();
        }
      }
    }

    private NDArray blockBackward(int block, NDArray grad, @Nullable NDArray ofScores) {
      Block own = blocks.get(block - 1);
      List<IValue> gradients = own.gradients().kept();
      try (IValue gradND = IValue.from((PtNDArray) grad);
          IValue scoreGrads = list(ofScores == null ? List.of() : List.of(ofScores));
          IValue state = saved(block)) {
        return one(
            "block_backward",
            gradND,
            scoreGrads,
            state,
            own.weights(),
            own.norms(),
            tokens,
            heads,
            dropped.get(block - 1),
            masks.get(block - 1),
            gradients.get(0),
            gradients.get(1),
            gradients.get(2));
      }
    }

    /** Returns what a block has saved, with two in front so that it is counted as the results. */
    private IValue saved(int block) {
      PtNDArray[] of = saved.get(block);
      PtNDArray[] all = new PtNDArray[of.length + 2];
      all[0] = of[0];
      all[1] = of[0];
      System.arraycopy(of, 0, all, 2, of.length);
      return IValue.listFrom(all);
    }

    private @Nullable NDArray gradient(@Nullable NDArray leaf1ND) {
      NDArray grad = leaf1ND == null ? null : Autograd.gradient(leaf1ND);
      return grad == null ? null : grad.reshape(grad.getShape().get(1), grad.getShape().get(2));
    }

    private @Nullable NDArray plus(@Nullable NDArray a, @Nullable NDArray b) {
      return a == null ? b : b == null ? a : a.add(b);
    }

    private NDArray unpadded(NDArray idsBL, NDArray tokensN) {
      return idsBL.reshape(-1).get(tokensN);
    }

    /** Java's memory is freed while libtorch still reads it. */
    private NDArray inLibtorch(long[] numbers) {
      try (NDArray inJava = manager.create(numbers)) {
        return inJava.duplicate();
      }
    }

    private IValue masks(Dropout dropout, double rate, Shape shape, int count) {
      List<NDArray> all = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        NDArray mask = dropout.mask(manager, shape, rate);
        if (mask != null) {
          all.add(mask);
        }
      }
      return list(all);
    }

    private PtNDArray[] call(String method, IValue... arguments) {
      try (IValue results = IValueUtils.runMethod(ops, method, arguments)) {
        return results.toTensorArray((PtNDManager) manager);
      }
    }

    private NDArray one(String method, IValue... arguments) {
      try (IValue result = IValueUtils.runMethod(ops, method, arguments)) {
        return result.toTensor((PtNDManager) manager);
      }
    }

    /** Lets go of what libtorch was handed; the tensors go with the batch's manager. */
    @Override
    public void close() {
      tokens.close();
      ids.close();
      embeddingMasks.close();
      dropped.forEach(IValue::close);
      masks.forEach(IValue::close);
    }
  }

  @Override
  public void close() {
    List<Block> all = new ArrayList<>(blocks);
    all.add(embeddings);
    for (Block block : all) {
      block.weights().close();
      block.biases().close();
      block.norms().close();
      if (block.gradients().kept != null) {
        block.gradients().kept.forEach(IValue::close);
      }
    }
    joined.forEach(one -> one.copy().close());
    grads.forEach(NDArray::close);
    heads.close();
    eps.close();
    ops.close();
  }
}

package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Trainable;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** One batch: what it gives, and its way back. Everything belongs to the batch's manager. */
public final class TrainingPass implements Trainable.Pass {
  private final TrainingEncoder of;
  private final NDManager manager;
  private final Batch batch;
  private final IValue tokens;
  private final IValue ids;
  private final IValue embeddingMasks;
  private final List<IValue> dropped = new ArrayList<>();
  private final List<IValue> masks = new ArrayList<>();
  private final List<PtNDArray[]> saved = new ArrayList<>();
  private final Map<Integer, NDArray> states = new TreeMap<>();
  private final Map<Integer, NDArray> hidden = new TreeMap<>();
  private final Map<Integer, NDArray> scores = new TreeMap<>();
  private final Map<Integer, Map<AttentionPart, NDArray>> vectors = new TreeMap<>();
  private final NDArray last;
  private final EncoderOutput output;

  TrainingPass(TrainingEncoder of, Batch batch, Capture capture, Dropout dropout) {
    this.of = of;
    this.manager = batch.idsBL().getManager();
    this.batch = batch;
    EncoderSpec spec = of.encoder.spec();
    long[] real = batch.realTokens();
    NDArray tokensN = inLibtorch(real);
    this.tokens = IValue.from((PtNDArray) tokensN);
    long[] positions = Arrays.stream(real).map(token -> token % batch.longest()).toArray();
    this.ids =
        TrainingEncoder.list(
            List.of(
                unpadded(batch.idsBL(), tokensN),
                inLibtorch(positions),
                unpadded(batch.typesBL(), tokensN)));
    double hiddenRate = spec.numerics().hiddenDropout();
    Shape stateND = new Shape(real.length, spec.hiddenSize());
    Shape embeddingNE = new Shape(real.length, spec.embeddingSize());
    Shape pairs = new Shape(batch.rows(), spec.heads(), batch.longest(), batch.longest());
    double attentionRate = spec.numerics().attentionDropout();
    List<Dropout.Wanted> wanted = new ArrayList<>();
    wanted.add(new Dropout.Wanted(embeddingNE, hiddenRate));
    for (int block = 1; block <= of.blocks.size(); block++) {
      wanted.add(new Dropout.Wanted(pairs, attentionRate));
      wanted.addAll(Collections.nCopies(2, new Dropout.Wanted(stateND, hiddenRate)));
    }
    dropout.ahead(of.ops, manager, wanted);
    this.embeddingMasks = masks(dropout, hiddenRate, embeddingNE, 1);
    PtNDArray[] embedded =
        call(
            "embed",
            ids,
            of.embeddings.tables(),
            of.embeddings.norms(),
            of.embeddings.mapping(),
            of.eps,
            embeddingMasks);
    saved.add(embedded);
    NDArray state = embedded[0];
    keep(capture, 0, state);
    NDArray bias = of.encoder.paddingBias(batch);
    try (IValue biasB11L = IValue.from((PtNDArray) bias)) {
      for (int block = 1; block <= of.blocks.size(); block++) {
        dropped.add(masks(dropout, attentionRate, pairs, 1));
        masks.add(masks(dropout, hiddenRate, stateND, 2));
        TrainingEncoder.Block own = of.blocks.get(block - 1);
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
                  of.heads,
                  of.eps,
                  dropped.get(block - 1),
                  masks.get(block - 1));
          state = results[0];
          if (capture.scores().contains(block)) {
            scores.put(block, leaf(results[1]));
          }
          results[1].close();
          saved.add(Arrays.copyOfRange(results, 2, results.length));
          Map<AttentionPart, NDArray> parts = new EnumMap<>(AttentionPart.class);
          capture.vectors(block).forEach(part -> parts.put(part, vectors(results, part)));
          vectors.put(block, parts);
        }
        keep(capture, block, state);
      }
    }
    int top = of.blocks.size();
    NDArray kept = of.projections.containsKey(top) ? null : hidden.get(top);
    this.last = kept == null ? leaf(state) : kept;
    Autograd.record(Autograd.Mode.ON); // the head's own pass is recorded
    NDArray logits = spec.head().task().pooled() ? logits(real, dropout) : null;
    this.output = new EncoderOutput(last, hidden, scores, Map.of(), vectors, logits);
  }

  private void keep(Capture capture, int layer, NDArray stateND) {
    if (capture.hidden().contains(layer)) {
      TrainingEncoder.Projection projection = of.projections.get(layer);
      if (projection == null) {
        hidden.put(layer, leaf(stateND));
        return;
      }
      states.put(layer, stateND);
      try (IValue input = IValue.from((PtNDArray) stateND);
          IValue weight = IValue.from((PtNDArray) projection.weightED())) {
        hidden.put(layer, leaf(one("product", input, weight)));
      }
    }
  }

  /**
   * Returns a copy that losses are computed on, of a state as (1, N, D): what DJL's calls of
   * TorchScript give can take no gradient.
   */
  private NDArray leaf(NDArray result) {
    Shape shape = result.getShape();
    NDArray view = shape.dimension() == 2 ? result.reshape(1, shape.get(0), shape.get(1)) : result;
    NDArray leaf = view.duplicate();
    leaf.setRequiresGradient(true);
    return leaf;
  }

  /**
   * Returns a copy that losses are computed on, (B, L, D), of a block's queries, keys or values.
   */
  private NDArray vectors(PtNDArray[] results, AttentionPart part) {
    NDArray ownBHLK = results[3 + part.ordinal()]; // beside each other, in the enum's order
    Shape shape = ownBHLK.getShape();
    double scale = part == AttentionPart.QUERY ? Math.sqrt(shape.get(3)) : 1;
    try (NDArray ownBLHK = ownBHLK.transpose(0, 2, 1, 3);
        NDArray ownBLD = ownBLHK.reshape(shape.get(0), shape.get(2), -1)) {
      NDArray leaf = Autograd.times(ownBLD, scale);
      leaf.setRequiresGradient(true);
      return leaf;
    }
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
    NDArray firstBD = Autograd.rows(last.reshape(real.length, -1), firstsB);
    return of.encoder.taskLogits(firstBD.reshape(batch.rows(), 1, -1), dropout);
  }

  /** {@inheritDoc} All but logits are leaves. */
  @Override
  public EncoderOutput output() {
    return output;
  }

  @Override
  public void backward() {
    Autograd.record(Autograd.Mode.OFF);
    NDArray grad = gradient(last);
    for (int block = of.blocks.size(); block > 0; block--) {
      if (hidden.get(block) != last) {
        grad = plus(grad, stateGradient(block));
      }
      NDArray ofScores = scores.containsKey(block) ? Autograd.gradient(scores.get(block)) : null;
      Map<AttentionPart, NDArray> ofVectors = vectorGradients(block);
      if (grad == null && ofScores == null && ofVectors.isEmpty()) {
        continue; // no loss reads this block, or one above it
      }
      grad = blockBackward(block, grad, ofScores, ofVectors);
    }
    grad = plus(grad, stateGradient(0));
    if (grad != null) {
      List<IValue> gradients = of.embeddings.gradients().kept();
      try (IValue gradND = IValue.from((PtNDArray) grad);
          IValue state = IValue.listFrom(saved.get(0))) {
        IValueUtils.runMethod(
                of.ops,
                "embed_backward",
                gradND,
                ids,
                state,
                of.embeddings.norms(),
                of.embeddings.mapping(),
                embeddingMasks,
                gradients.get(0),
                gradients.get(1),
                gradients.get(2))
            .close();
      }
    }
  }

  /** Returns what the losses that read a hidden state say of it, before its projection. */
  private @Nullable NDArray stateGradient(int layer) {
    NDArray grad = gradient(hidden.get(layer));
    TrainingEncoder.Projection projection = of.projections.get(layer);
    if (grad == null || projection == null) {
      return grad;
    }
    try (IValue gradNE = IValue.from((PtNDArray) grad);
        IValue input = IValue.from((PtNDArray) states.get(layer));
        IValue weight = IValue.from((PtNDArray) projection.weightED())) {
      IValue weightGrads = projection.gradient().kept().get(0);
      return one("product_backward", gradNE, input, weight, weightGrads);
    }
  }

  private Map<AttentionPart, NDArray> vectorGradients(int block) {
    Map<AttentionPart, NDArray> gradients = new EnumMap<>(AttentionPart.class);
    vectors
        .getOrDefault(block, Map.of())
        .forEach(
            (part, leaf) -> {
              NDArray gradient = Autograd.gradient(leaf);
              if (gradient != null) {
                gradients.put(part, gradient);
              }
            });
    return gradients;
  }

  private NDArray blockBackward(
      int block,
      @Nullable NDArray grad,
      @Nullable NDArray ofScores,
      Map<AttentionPart, NDArray> ofVectors) {
    TrainingEncoder.Block own = of.blocks.get(block - 1);
    List<IValue> attention = own.attention().kept();
    try (IValue scoreGrads =
            TrainingEncoder.list(ofScores == null ? List.of() : List.of(ofScores));
        IValue parts =
            IValue.listFrom(ofVectors.keySet().stream().mapToLong(Enum::ordinal).toArray());
        IValue partGrads = TrainingEncoder.list(List.copyOf(ofVectors.values()));
        IValue state = IValue.listFrom(saved.get(block))) {
      if (grad == null) {
        return one(
            "relations_backward",
            scoreGrads,
            parts,
            partGrads,
            state,
            own.weights(),
            tokens,
            of.heads,
            attention.get(0),
            attention.get(1));
      }
      List<IValue> gradients = own.gradients().kept();
      try (IValue gradND = IValue.from((PtNDArray) grad)) {
        return one(
            "block_backward",
            gradND,
            scoreGrads,
            parts,
            partGrads,
            state,
            own.weights(),
            own.norms(),
            tokens,
            of.heads,
            dropped.get(block - 1),
            masks.get(block - 1),
            attention.get(0),
            attention.get(1),
            gradients.get(0),
            gradients.get(1),
            gradients.get(2));
      }
    }
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
    return TrainingEncoder.list(all);
  }

  private PtNDArray[] call(String method, IValue... arguments) {
    try (IValue results = IValueUtils.runMethod(of.ops, method, arguments)) {
      return results.toTensorArray((PtNDManager) manager);
    }
  }

  private NDArray one(String method, IValue... arguments) {
    try (IValue result = IValueUtils.runMethod(of.ops, method, arguments)) {
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

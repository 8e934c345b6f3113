package io.stillhouse.model.encoder;

import static io.stillhouse.error.Text.format;

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
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import io.stillhouse.torch.TorchScript;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The forward half of a {@link TrainingEncoder}'s pass over one batch. */
final class TrainingForward {
  private final TrainingEncoder training;
  private final EncoderSpec spec;
  private final Batch batch;
  private final Capture capture;
  private final Dropout dropout;
  private final NDManager manager;
  private final long[] real;
  private final NDArray tokensN;
  private final List<IValue> saved = new ArrayList<>(); // of the embeddings, then of each block
  private final Map<Integer, NDArray> states = new TreeMap<>();
  private final Map<Integer, NDArray> hidden = new TreeMap<>();
  private final Map<Integer, NDArray> scores = new TreeMap<>();
  private final Map<Integer, Map<AttentionPart, NDArray>> vectors = new TreeMap<>();

  TrainingForward(TrainingEncoder training, Batch batch, Capture capture, Dropout dropout) {
    this.training = training;
    this.spec = training.encoder.spec();
    this.batch = batch;
    this.capture = capture;
    this.dropout = dropout;
    this.manager = batch.idsBL().getManager();
    this.real = batch.realTokens();
    this.tokensN = inLibtorch(real);
  }

  /**
   * Computes the batch. Gradients are recorded on this thread from the head on, so that a loss can
   * be computed.
   */
  TrainingPass run() {
    try {
      drawMasksAhead();
      NDArray stateND = embed();
      keep(0, stateND);
      stateND = blocks(stateND);
      return new TrainingPass(training, saved, states, output(stateND));
    } catch (RuntimeException | Error e) {
      saved.forEach(IValue::close);
      throw e;
    }
  }

  private void drawMasksAhead() {
    if (training.dropoutOps == null) {
      return;
    }
    List<Dropout.Request> wanted = new ArrayList<>();
    wanted.add(new Dropout.Request(embeddingNE(), spec.numerics().hiddenDropout()));
    for (int block = 1; block <= training.blocks.size(); block++) {
      wanted.add(new Dropout.Request(pairsBHLL(), spec.numerics().attentionDropout()));
      wanted.addAll(
          Collections.nCopies(2, new Dropout.Request(stateND(), spec.numerics().hiddenDropout())));
    }
    dropout.drawAhead(training.dropoutOps, manager, wanted);
  }

  /** Returns hidden state 0, (N, D). */
  private NDArray embed() {
    long[] positions = Arrays.stream(real).map(token -> token % batch.longest()).toArray();
    List<NDArray> idsN =
        List.of(unpadded(batch.idsBL()), inLibtorch(positions), unpadded(batch.typesBL()));
    try (IValue ids = TorchScript.list(idsN);
        IValue masks = masks(spec.numerics().hiddenDropout(), embeddingNE(), 1);
        IValue results =
            IValueUtils.runMethod(
                training.ops,
                "embed",
                ids,
                training.embeddings.weights(),
                training.config,
                masks)) {
      IValue[] tuple = results.toIValueTuple();
      saved.add(tuple[1]);
      return tensor(tuple[0]);
    }
  }

  /** Returns the last hidden state, (N, D). */
  private NDArray blocks(NDArray embeddedND) {
    NDArray stateND = embeddedND;
    try (IValue tokens = IValue.from((PtNDArray) tokensN);
        IValue biasB11L = IValue.from((PtNDArray) training.encoder.paddingBias(batch))) {
      for (int block = 1; block <= training.blocks.size(); block++) {
        stateND = block(block, stateND, tokens, biasB11L);
        keep(block, stateND);
      }
    }
    return stateND;
  }

  private NDArray block(int block, NDArray inputND, IValue tokens, IValue biasB11L) {
    try (IValue input = IValue.from((PtNDArray) inputND);
        IValue attentionMasks = masks(spec.numerics().attentionDropout(), pairsBHLL(), 1);
        IValue hiddenMasks = masks(spec.numerics().hiddenDropout(), stateND(), 2);
        IValue results =
            IValueUtils.runMethod(
                training.ops,
                "block",
                input,
                training.blocks.get(block - 1).weights(),
                training.config,
                tokens,
                biasB11L,
                attentionMasks,
                hiddenMasks)) {
      IValue[] tuple = results.toIValueTuple();
      saved.add(tuple[3]);
      keepScores(block, tuple[1]);
      keepVectors(block, tuple[2]);
      return tensor(tuple[0]);
    }
  }

  private void keepScores(int block, IValue scoresBHLL) {
    if (!capture.scores().contains(block)) {
      scoresBHLL.close();
      return;
    }
    try (NDArray result = tensor(scoresBHLL)) {
      scores.put(block, leaf(result));
    }
  }

  private void keepVectors(int block, IValue vectorsBHLK) {
    Map<AttentionPart, NDArray> kept = new EnumMap<>(AttentionPart.class);
    vectors.put(block, kept);
    if (capture.vectors(block).isEmpty()) {
      vectorsBHLK.close();
      return;
    }
    Map<String, IValue> all = vectorsBHLK.toIValueMap();
    vectorsBHLK.close();
    for (AttentionPart part : AttentionPart.values()) {
      IValue partVectors = all.get(TrainingPass.key(part));
      if (partVectors == null) {
        throw new IllegalStateException(format("block returned no %s vectors", part));
      }
      try (NDArray result = tensor(partVectors)) {
        if (capture.vectors(block).contains(part)) {
          kept.put(part, vectorsLeaf(part, result));
        }
      }
    }
  }

  private void keep(int layer, NDArray stateND) {
    if (!capture.hidden().contains(layer)) {
      return;
    }
    TrainingEncoder.Projection projection = training.projections.get(layer);
    if (projection == null) {
      hidden.put(layer, leaf(stateND));
      return;
    }
    states.put(layer, stateND);
    try (IValue input = IValue.from((PtNDArray) stateND);
        IValue weight = IValue.from((PtNDArray) projection.weightED())) {
      hidden.put(
          layer, leaf(tensor(IValueUtils.runMethod(training.ops, "project", input, weight))));
    }
  }

  private EncoderOutput output(NDArray stateND) {
    int top = training.blocks.size();
    NDArray kept = training.projections.containsKey(top) ? null : hidden.get(top);
    NDArray last1ND = kept == null ? leaf(stateND) : kept;
    Autograd.record(Autograd.Mode.ON); // autograd computes the head's gradients
    NDArray logits = spec.head().task().pooled() ? logits(last1ND) : null;
    return new EncoderOutput(last1ND, hidden, scores, Map.of(), vectors, logits);
  }

  /** Returns the head's logits, computed from the first token of each row. */
  private NDArray logits(NDArray last1ND) {
    long[] firsts = new long[batch.rows()];
    for (int token = 0, row = 0; token < real.length; token++) {
      if (real[token] % batch.longest() == 0) {
        firsts[row++] = token;
      }
    }
    NDArray firstsB = inLibtorch(firsts);
    NDArray firstBD = Autograd.rows(last1ND.reshape(real.length, -1), firstsB);
    return training.encoder.taskLogits(firstBD.reshape(batch.rows(), 1, -1), dropout);
  }

  /**
   * Returns a leaf with the numbers of a result; a state becomes (1, N, D). It is a copy, because
   * DJL runs TorchScript below the autograd dispatch key, so its results cannot require gradients.
   */
  private static NDArray leaf(NDArray result) {
    Shape shape = result.getShape();
    NDArray view = shape.dimension() == 2 ? result.reshape(1, shape.get(0), shape.get(1)) : result;
    NDArray leaf = view.duplicate();
    leaf.setRequiresGradient(true);
    return leaf;
  }

  /** Returns a leaf with a block's queries, keys or values, not scaled, (B, L, D). */
  private static NDArray vectorsLeaf(AttentionPart part, NDArray vectorsBHLK) {
    Shape shape = vectorsBHLK.getShape();
    double scale = part == AttentionPart.QUERY ? Math.sqrt((double) shape.get(3)) : 1;
    try (NDArray vectorsBLHK = vectorsBHLK.transpose(0, 2, 1, 3);
        NDArray vectorsBLD = vectorsBLHK.reshape(shape.get(0), shape.get(2), -1)) {
      NDArray leaf = Autograd.multiply(vectorsBLD, scale);
      leaf.setRequiresGradient(true);
      return leaf;
    }
  }

  /** Returns dropout's next masks of a shape, or an empty list if nothing is dropped. */
  private IValue masks(double rate, Shape shape, int count) {
    List<NDArray> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      NDArray mask = dropout.mask(manager, shape, rate);
      if (mask != null) {
        all.add(mask);
      }
    }
    return TorchScript.list(all);
  }

  private Shape embeddingNE() {
    return new Shape(real.length, spec.embeddingSize());
  }

  private Shape stateND() {
    return new Shape(real.length, spec.hiddenSize());
  }

  private Shape pairsBHLL() {
    return new Shape(batch.rows(), spec.heads(), batch.longest(), batch.longest());
  }

  private NDArray unpadded(NDArray idsBL) {
    return idsBL.reshape(-1).get(tokensN);
  }

  /**
   * Copies numbers into libtorch's memory: Java's memory could be freed while libtorch reads it.
   */
  private NDArray inLibtorch(long[] numbers) {
    try (NDArray inJava = manager.create(numbers)) {
      return inJava.duplicate();
    }
  }

  private NDArray tensor(IValue value) {
    try (value) {
      return value.toTensor((PtNDManager) manager);
    }
  }
}

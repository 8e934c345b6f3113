package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.core.Linear;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The forward pass of BERT, DistilBERT and ALBERT as Hugging Face computes it: LayerNorm after each
 * residual, GELU or another {@link io.stillhouse.spec.Activation}, an additive mask, learned
 * positions, and a pooler on the first token. Dropout is applied where BERT applies it in all
 * three; Hugging Face's DistilBERT has none after attention, and its ALBERT none after the
 * feed-forward layer. This affects training only.
 *
 * <p>This is the reference that {@link TrainingEncoder} and {@link InferenceEncoder} are tested
 * against. Weights belong to the caller. Gradients are recorded if the thread's {@link Autograd}
 * mode is on.
 */
public final class Encoder implements Predictor {
  /** Added to the scores of padding, as Hugging Face does: the smallest finite float32. */
  private static final float MASKED = -Float.MAX_VALUE;

  private final EncoderSpec spec;
  private final Map<String, NDArray> weights;
  private final LinearLayers layers;

  /**
   * @param spec spec of the model
   * @param weights every tensor of {@link EncoderSpec#parameters()}, float32; others are ignored
   */
  public Encoder(EncoderSpec spec, Map<String, NDArray> weights) {
    this(
        spec,
        weights,
        (input, weight, bias, layer) -> Linear.linear(input, weight, bias).singletonOrThrow());
  }

  /** Creates an encoder with another implementation of its linear layers. */
  public Encoder(EncoderSpec spec, Map<String, NDArray> weights, LinearLayers layers) {
    this.spec = spec;
    this.weights = Map.copyOf(weights);
    this.layers = layers;
  }

  @Override
  public EncoderSpec spec() {
    return spec;
  }

  @Override
  public EncoderOutput forward(Batch batch, Capture capture) {
    return forward(batch, capture, Dropout.NONE);
  }

  /** Computes a batch with dropout; results belong to the batch's manager. */
  public EncoderOutput forward(Batch batch, Capture capture, Dropout dropout) {
    return forward(batch, capture, dropout, List.of());
  }

  /**
   * Computes a batch with the output of each attention head multiplied by a factor: the mask
   * variables of Michel et al. 2019 (arXiv:1905.10650, section 4.1).
   *
   * @param factorsBH one tensor for each block, (B, H), float32; empty if no head is multiplied
   */
  public EncoderOutput forward(
      Batch batch, Capture capture, Dropout dropout, List<NDArray> factorsBH) {
    NDManager manager = batch.idsBL().getManager();
    Map<Integer, NDArray> hidden = new HashMap<>();
    Kept kept = new Kept(capture, manager);
    NDArray biasB11L = paddingBias(batch);
    NDArray stateBLD = embed(batch, dropout);
    for (int layer = 0; ; layer++) {
      if (capture.hidden().contains(layer)) {
        hidden.put(layer, stateBLD);
      }
      if (layer == spec.layers()) {
        break;
      }
      NDArray factorBH = factorsBH.isEmpty() ? null : factorsBH.get(layer);
      NDArray next = block(layer + 1, stateBLD, biasB11L, factorBH, kept, dropout);
      if (!capture.hidden().contains(layer)) {
        stateBLD.close();
      }
      stateBLD = next;
    }
    NDArray logits = spec.head().task().pooled() ? taskLogits(stateBLD, dropout) : null;
    return new EncoderOutput(
        stateBLD, hidden, kept.scores, kept.valueRelations, kept.vectors, logits);
  }

  @Override
  public NDArray maskedLmLogits(NDArray stateND) {
    if (spec.head().task() != Task.MASKED_LM) {
      throw new IllegalStateException(
          "masked-LM logits need a masked-LM head, but the head of this encoder is "
              + spec.head().task());
    }
    try (NDManager scope = stateND.getManager().newSubManager()) {
      stateND.tempAttach(scope);
      NDArray innerND = linear(stateND, "cls.predictions.transform.dense");
      NDArray transformedND = norm(activate(innerND), "cls.predictions.transform.LayerNorm");
      NDArray logitsNV =
          layers.apply(
              transformedND,
              weight(EncoderSpec.WORDS),
              weight("cls.predictions.bias"),
              "cls.predictions.decoder");
      logitsNV.attach(scope.getParentManager());
      return logitsNV;
    }
  }

  /**
   * Returns the scores of a block, computed from its input as a forward pass does.
   *
   * @param block number of the block, from 1
   * @param inputBLD hidden state {@code block - 1}
   * @return (B, H, L, L), attached to the input's manager
   */
  public NDArray scores(int block, NDArray inputBLD) {
    try (NDManager scope = inputBLD.getManager().newSubManager()) {
      inputBLD.tempAttach(scope);
      NDArray scoresBHLL =
          scores(
              vectors(AttentionPart.QUERY, block, inputBLD),
              vectors(AttentionPart.KEY, block, inputBLD));
      scoresBHLL.attach(scope.getParentManager());
      return scoresBHLL;
    }
  }

  /**
   * Returns the value relations of a block, computed from its input.
   *
   * @param block number of the block, from 1
   * @param inputBLD hidden state {@code block - 1}
   * @return (B, H, L, L), attached to the input's manager
   */
  public NDArray valueRelations(int block, NDArray inputBLD) {
    try (NDManager scope = inputBLD.getManager().newSubManager()) {
      inputBLD.tempAttach(scope);
      NDArray relationsBHLL =
          relations(vectors(AttentionPart.VALUE, block, inputBLD), spec.heads());
      relationsBHLL.attach(scope.getParentManager());
      return relationsBHLL;
    }
  }

  /**
   * Returns queries, keys or values of a block, computed from its input.
   *
   * @param block number of the block, from 1
   * @param inputBLD hidden state {@code block - 1}
   * @return (B, L, D), all heads of a token side by side, before the division by sqrt(K)
   */
  public NDArray vectors(AttentionPart part, int block, NDArray inputBLD) {
    return linear(inputBLD, part.layer(spec.prefixOf(block)));
  }

  /**
   * Returns the relations of a row's vectors with each other, {@code X X^T / sqrt(K)} (MiniLMv2,
   * arXiv:2012.15828, section 3.2).
   *
   * @param vectorsBLD queries, keys or values
   * @param heads number of heads that each vector is divided into, with K numbers each; must divide
   *     D
   * @return (B, heads, L, L), before the mask; attached to the vectors' manager
   */
  public static NDArray relations(NDArray vectorsBLD, int heads) {
    NDArray vectorsBHLK = heads(vectorsBLD, heads);
    return scaledProducts(vectorsBHLK, vectorsBHLK);
  }

  /** Returns hidden state 0 of a batch, without dropout, (B, L, D). */
  public NDArray embeddings(Batch batch) {
    return embed(batch, Dropout.NONE);
  }

  /**
   * Returns hidden state 0, (B, L, D): the sum of word, position and segment embeddings,
   * normalized, and mapped to the width of hidden states if the architecture has such a mapping.
   */
  private NDArray embed(Batch batch, Dropout dropout) {
    NDManager manager = batch.idsBL().getManager();
    try (NDManager scope = manager.newSubManager()) {
      batch.idsBL().tempAttach(scope);
      batch.typesBL().tempAttach(scope);
      NDArray sum = lookup(batch.idsBL(), EncoderSpec.WORDS);
      if (spec.architecture().hasSegments()) {
        sum = sum.add(lookup(batch.typesBL(), "bert.embeddings.token_type_embeddings.weight"));
      }
      NDArray positionsL = scope.arange(batch.longest()).toType(DataType.INT64, false);
      sum = sum.add(lookup(positionsL, "bert.embeddings.position_embeddings.weight"));
      NDArray result =
          dropout.apply(norm(sum, "bert.embeddings.LayerNorm"), spec.numerics().hiddenDropout());
      if (spec.architecture().mapsEmbeddings()) {
        result = linear(result, EncoderSpec.MAPPING);
      }
      result.attach(manager);
      return result;
    }
  }

  /** The tensors of the blocks that one pass keeps, by block. */
  private static final class Kept {
    final Map<Integer, NDArray> scores = new HashMap<>();
    final Map<Integer, NDArray> valueRelations = new HashMap<>();
    final Map<Integer, Map<AttentionPart, NDArray>> vectors = new HashMap<>();
    private final Capture capture;
    private final NDManager manager;

    Kept(Capture capture, NDManager manager) {
      this.capture = capture;
      this.manager = manager;
    }

    /** Keeps the tensors that the capture requests. */
    void keep(
        int block, NDArray scoresBHLL, NDArray queriesBLD, NDArray keysBLD, NDArray valuesBLD) {
      if (capture.scores().contains(block)) {
        scoresBHLL.attach(manager);
        scores.put(block, scoresBHLL);
      }
      if (capture.valueRelations().contains(block)) {
        NDArray relationsBHLL = relations(valuesBLD, (int) scoresBHLL.getShape().get(1));
        relationsBHLL.attach(manager);
        valueRelations.put(block, relationsBHLL);
      }
      Map<AttentionPart, NDArray> blockVectors = new EnumMap<>(AttentionPart.class);
      for (AttentionPart part : capture.vectors(block)) {
        NDArray vectorsBLD =
            switch (part) {
              case QUERY -> queriesBLD;
              case KEY -> keysBLD;
              case VALUE -> valuesBLD;
            };
        vectorsBLD.attach(manager);
        blockVectors.put(part, vectorsBLD);
      }
      vectors.put(block, blockVectors);
    }
  }

  /** Returns the output of one block, (B, L, D). */
  private NDArray block(
      int block,
      NDArray inputBLD,
      NDArray biasB11L,
      @Nullable NDArray factorBH,
      Kept kept,
      Dropout dropout) {
    NDManager manager = inputBLD.getManager();
    String prefix = spec.prefixOf(block);
    double hiddenDropout = spec.numerics().hiddenDropout();
    try (NDManager scope = manager.newSubManager()) {
      inputBLD.tempAttach(scope);
      NDArray queriesBLD = vectors(AttentionPart.QUERY, block, inputBLD);
      NDArray keysBLD = vectors(AttentionPart.KEY, block, inputBLD);
      NDArray valuesBLD = vectors(AttentionPart.VALUE, block, inputBLD);
      NDArray scoresBHLL = scores(queriesBLD, keysBLD);
      NDArray probabilities =
          dropout.apply(scoresBHLL.add(biasB11L).softmax(-1), spec.numerics().attentionDropout());
      NDArray contextBHLK = probabilities.matMul(heads(valuesBLD, spec.heads()));
      if (factorBH != null) {
        contextBHLK = contextBHLK.mul(factorBH.reshape(-1, spec.heads(), 1, 1));
      }
      NDArray contextBLD = contextBHLK.transpose(0, 2, 1, 3).reshape(inputBLD.getShape());
      NDArray attended =
          dropout.apply(linear(contextBLD, prefix + "attention.output.dense"), hiddenDropout);
      NDArray middleBLD = norm(attended.add(inputBLD), prefix + "attention.output.LayerNorm");
      NDArray inner = activate(linear(middleBLD, prefix + "intermediate.dense"));
      NDArray outer = dropout.apply(linear(inner, prefix + "output.dense"), hiddenDropout);
      NDArray outputBLD = norm(outer.add(middleBLD), prefix + "output.LayerNorm");
      kept.keep(block, scoresBHLL, queriesBLD, keysBLD, valuesBLD);
      outputBLD.attach(manager);
      return outputBLD;
    }
  }

  private NDArray scores(NDArray queriesBLD, NDArray keysBLD) {
    return scaledProducts(heads(queriesBLD, spec.heads()), heads(keysBLD, spec.heads()));
  }

  private static NDArray scaledProducts(NDArray leftBHLK, NDArray rightBHLK) {
    // Scales the left side and not the products, which have L / K times as many numbers.
    return Autograd.multiply(leftBHLK, 1 / Math.sqrt((double) leftBHLK.getShape().get(3)))
        .matMul(rightBHLK.transpose(0, 1, 3, 2));
  }

  /**
   * Returns the head's logits, (B, C). Only the first tokens of the last hidden states are read.
   */
  NDArray taskLogits(NDArray stateBLD, Dropout dropout) {
    NDManager manager = stateBLD.getManager();
    try (NDManager scope = manager.newSubManager()) {
      stateBLD.tempAttach(scope);
      NDArray firstBD = stateBLD.get(":, 0");
      NDArray innerBD = linear(firstBD, "bert.pooler.dense");
      NDArray pooledBD =
          spec.architecture() == Architecture.DISTILBERT
              ? Activation.relu(innerBD)
              : innerBD.tanh();
      NDArray logitsBC =
          linear(dropout.apply(pooledBD, spec.numerics().classifierDropout()), "classifier");
      logitsBC.attach(manager);
      return logitsBC;
    }
  }

  /**
   * Returns the bias that is added to scores, (B, 1, 1, L): 0 at real tokens, the smallest finite
   * float32 at padding.
   */
  NDArray paddingBias(Batch batch) {
    NDArray maskBL1 = batch.maskBL1();
    try (NDManager scope = maskBL1.getManager().newSubManager()) {
      maskBL1.tempAttach(scope);
      NDArray bias =
          Autograd.multiply(maskBL1.sub(1f), -MASKED)
              .reshape(new Shape(batch.rows(), 1, 1, batch.longest()));
      bias.attach(scope.getParentManager());
      return bias;
    }
  }

  private static NDArray heads(NDArray stateBLD, int heads) {
    Shape shape = stateBLD.getShape();
    return stateBLD
        .reshape(shape.get(0), shape.get(1), heads, shape.get(2) / heads)
        .transpose(0, 2, 1, 3);
  }

  private NDArray lookup(NDArray ids, String table) {
    return Autograd.rows(weight(table), ids);
  }

  private NDArray linear(NDArray input, String name) {
    return layers.apply(input, weight(name + ".weight"), weight(name + ".bias"), name);
  }

  /** Applies the activation function of feed-forward layers and of the masked-LM head. */
  private NDArray activate(NDArray input) {
    return switch (spec.blocks().activation()) {
      case GELU -> Activation.gelu(input);
      case GELU_NEW, GELU_PYTORCH_TANH -> tanhGelu(input);
      case RELU -> Activation.relu(input);
    };
  }

  private static NDArray tanhGelu(NDArray input) {
    NDArray cubed = input.mul(input).mul(input);
    NDArray inner =
        Autograd.multiply(input.add(Autograd.multiply(cubed, 0.044715)), Math.sqrt(2 / Math.PI));
    return Autograd.multiply(input, 0.5).mul(inner.tanh().add(1));
  }

  private NDArray norm(NDArray input, String name) {
    NDArray weight = weight(name + ".weight");
    return input
        .getNDArrayInternal()
        .layerNorm(
            input,
            weight.getShape(),
            weight,
            weight(name + ".bias"),
            (float) spec.numerics().layerNormEps())
        .singletonOrThrow();
  }

  NDArray weight(String name) {
    NDArray weight = weights.get(name);
    if (weight == null) {
      throw new IllegalStateException("there is no weight " + name);
    }
    return weight;
  }
}

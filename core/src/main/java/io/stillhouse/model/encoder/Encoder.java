package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
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
 * The forward pass of BERT, DistilBERT and ALBERT, exactly as Hugging Face computes it: erf GELU,
 * LayerNorm after each residual, an additive mask, learned positions, a pooler on the first token.
 * Dropout is where BERT has it, in all three: Hugging Face's DistilBERT has none after attention,
 * its ALBERT none after the feed-forward layer, which matters in training alone.
 *
 * <p>The weights belong to the caller. Whether gradients are recorded is the thread's {@link
 * Autograd} mode, not this class's.
 */
public final class Encoder implements Predictor {
  /** What Hugging Face adds to the scores of padding: the smallest float32. */
  private static final float MASKED = -Float.MAX_VALUE;

  private final EncoderSpec spec;
  private final Map<String, NDArray> weights;

  /**
   * @param spec the shape
   * @param weights every tensor of {@link EncoderSpec#parameters()}, float32; more are ignored
   */
  public Encoder(EncoderSpec spec, Map<String, NDArray> weights) {
    this.spec = spec;
    this.weights = Map.copyOf(weights);
  }

  @Override
  public EncoderSpec spec() {
    return spec;
  }

  @Override
  public EncoderOutput forward(Batch batch, Capture capture) {
    return forward(batch, capture, Dropout.NONE);
  }

  /** Computes a batch; results belong to the batch's manager. */
  public EncoderOutput forward(Batch batch, Capture capture, Dropout dropout) {
    return forward(batch, capture, dropout, List.of());
  }

  /**
   * Computes a batch, what each head gives multiplied by a number: the mask variables of Michel et
   * al. 2019 (arXiv:1905.10650, section 4.1).
   *
   * @param factorsBH a tensor for each block, (B, H); or none, where no head is multiplied
   */
  public EncoderOutput forward(
      Batch batch, Capture capture, Dropout dropout, List<NDArray> factorsBH) {
    NDManager manager = batch.idsBL().getManager();
    Map<Integer, NDArray> hidden = new HashMap<>();
    TargetStorage kept = new TargetStorage(new HashMap<>(), new HashMap<>(), new HashMap<>());
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
      NDArray next =
          block(layer + 1, stateBLD, biasB11L, factorBH, capture, kept, manager, dropout);
      if (!capture.hidden().contains(layer)) {
        stateBLD.close();
      }
      stateBLD = next;
    }
    NDArray logits = spec.head().task().pooled() ? taskLogits(stateBLD, dropout) : null;
    return new EncoderOutput(
        stateBLD, hidden, kept.scores(), kept.valueRelations(), kept.vectors(), logits);
  }

  @Override
  public NDArray maskedLmLogits(NDArray stateND) {
    if (spec.head().task() != Task.MASKED_LM) {
      throw new IllegalStateException("this encoder has no masked-LM head");
    }
    try (NDManager scope = stateND.getManager().newSubManager()) {
      stateND.tempAttach(scope);
      NDArray innerND = linear(stateND, "cls.predictions.transform.dense");
      NDArray transformedND = norm(Activation.gelu(innerND), "cls.predictions.transform.LayerNorm");
      NDArray logitsNV =
          ai.djl.nn.core.Linear.linear(
                  transformedND,
                  weight("bert.embeddings.word_embeddings.weight"),
                  weight("cls.predictions.bias"))
              .singletonOrThrow();
      logitsNV.attach(scope.getParentManager());
      return logitsNV;
    }
  }

  /**
   * Returns the scores of a block from its input, the hidden state below it: what a forward pass
   * captures, without one.
   *
   * @param block from 1
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

  /** Returns the value relations of a block from its input, as {@link #scores(int, NDArray)}. */
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
   * Returns queries, keys or values of a block from its input, as {@link #scores(int, NDArray)}.
   *
   * @return (B, L, D), all heads of a token beside each other, not yet scaled
   */
  public NDArray vectors(AttentionPart part, int block, NDArray inputBLD) {
    return linear(inputBLD, part.layer(spec.prefixOf(block)));
  }

  /**
   * Returns the products of a row's vectors with each other, {@code X X^T / sqrt(K)}.
   *
   * @param vectorsBLD queries, keys or values
   * @param heads that each vector is cut into, K numbers in each; it divides D
   * @return (B, heads, L, L), before the mask; attached to the vectors' manager
   */
  public static NDArray relations(NDArray vectorsBLD, int heads) {
    NDArray vectorsBHLK = heads(vectorsBLD, heads);
    return scaledProducts(vectorsBHLK, vectorsBHLK);
  }

  /** Returns the embedding output of a batch without dropout: hidden state 0, (B, L, D). */
  public NDArray embeddings(Batch batch) {
    return embed(batch, Dropout.NONE);
  }

  /**
   * Returns the embedding output, (B, L, D): word, position and segment embeddings, normalised, and
   * mapped to the width of hidden states where they are narrower.
   */
  private NDArray embed(Batch batch, Dropout dropout) {
    NDManager manager = batch.idsBL().getManager();
    try (NDManager scope = manager.newSubManager()) {
      batch.idsBL().tempAttach(scope);
      batch.typesBL().tempAttach(scope);
      NDArray sum = lookup(batch.idsBL(), "bert.embeddings.word_embeddings.weight");
      if (spec.architecture().hasSegments()) {
        sum = sum.add(lookup(batch.typesBL(), "bert.embeddings.token_type_embeddings.weight"));
      }
      NDArray positionsL =
          scope.arange(batch.longest()).toType(ai.djl.ndarray.types.DataType.INT64, false);
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

  /** What the blocks of one pass keep, by block. */
  private record TargetStorage(
      Map<Integer, NDArray> scores,
      Map<Integer, NDArray> valueRelations,
      Map<Integer, Map<AttentionPart, NDArray>> vectors) {}

  /** Returns the output of one block, (B, L, D). */
  private NDArray block(
      int block,
      NDArray inputBLD,
      NDArray biasB11L,
      @Nullable NDArray factorBH,
      Capture capture,
      TargetStorage kept,
      NDManager manager,
      Dropout dropout) {
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
      NDArray inner = Activation.gelu(linear(middleBLD, prefix + "intermediate.dense"));
      NDArray outer = dropout.apply(linear(inner, prefix + "output.dense"), hiddenDropout);
      NDArray outputBLD = norm(outer.add(middleBLD), prefix + "output.LayerNorm");
      if (capture.scores().contains(block)) {
        scoresBHLL.attach(manager);
        kept.scores().put(block, scoresBHLL);
      }
      if (capture.valueRelations().contains(block)) {
        NDArray relationsBHLL = relations(valuesBLD, spec.heads());
        relationsBHLL.attach(manager);
        kept.valueRelations().put(block, relationsBHLL);
      }
      Map<AttentionPart, NDArray> vectors = new EnumMap<>(AttentionPart.class);
      for (AttentionPart part : capture.vectors(block)) {
        NDArray vectorsBLD =
            switch (part) {
              case QUERY -> queriesBLD;
              case KEY -> keysBLD;
              case VALUE -> valuesBLD;
            };
        vectorsBLD.attach(manager);
        vectors.put(part, vectorsBLD);
      }
      kept.vectors().put(block, vectors);
      outputBLD.attach(manager);
      return outputBLD;
    }
  }

  private NDArray scores(NDArray queriesBLD, NDArray keysBLD) {
    return scaledProducts(heads(queriesBLD, spec.heads()), heads(keysBLD, spec.heads()));
  }

  private static NDArray scaledProducts(NDArray leftBHLK, NDArray rightBHLK) {
    // Scaling the left side instead of the products touches L / K times fewer numbers.
    return Autograd.times(leftBHLK, 1 / Math.sqrt(leftBHLK.getShape().get(3)))
        .matMul(rightBHLK.transpose(0, 1, 3, 2));
  }

  /** Returns the head's logits of last hidden states, (B, C). */
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
   * Returns what is added to scores, (B, 1, 1, L): 0 at real tokens, the smallest float32 at
   * padding.
   */
  NDArray paddingBias(Batch batch) {
    NDArray maskBL1 = batch.maskBL1();
    try (NDManager scope = maskBL1.getManager().newSubManager()) {
      maskBL1.tempAttach(scope);
      NDArray bias =
          Autograd.times(maskBL1.sub(1f), -MASKED)
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
    return ai.djl.nn.core.Linear.linear(input, weight(name + ".weight"), weight(name + ".bias"))
        .singletonOrThrow();
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
      throw new IllegalStateException("no weight " + name);
    }
    return weight;
  }
}

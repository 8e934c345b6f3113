package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Trainable;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.torch.Autograd;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A {@link TrainingEncoder}'s pass over one batch, after its forward half. */
final class TrainingPass implements Trainable.Pass {
  private final TrainingEncoder training;
  private final List<IValue> saved;
  private final Map<Integer, NDArray> states;
  private final EncoderOutput output;

  /**
   * @param saved what the backward methods of {@code training_encoder.py} need, for the embeddings
   *     and then for each block; closed with this pass
   * @param states hidden states before their projection, (N, D), by layer
   * @param output its tensors are leaves, except logits
   */
  TrainingPass(
      TrainingEncoder training,
      List<IValue> saved,
      Map<Integer, NDArray> states,
      EncoderOutput output) {
    this.training = training;
    this.saved = saved;
    this.states = states;
    this.output = output;
  }

  /** Returns the key in {@code training_encoder.py} of a block's queries, keys or values. */
  static String key(AttentionPart part) {
    return part.name().toLowerCase(Locale.ROOT);
  }

  /** {@inheritDoc} All tensors except the logits are leaves. */
  @Override
  public EncoderOutput output() {
    return output;
  }

  @Override
  public void backward() {
    Autograd.record(Autograd.Mode.OFF);
    NDArray gradND = gradient(output.last());
    for (int block = training.blocks.size(); block > 0; block--) {
      if (output.hidden().get(block) != output.last()) {
        gradND = plus(gradND, stateGradient(block));
      }
      Map<String, PtNDArray> losses = attentionGradients(block);
      if (gradND != null || !losses.isEmpty()) {
        gradND = blockBackward(block, gradND, losses);
      } // else no loss depends on this block
    }
    gradND = plus(gradND, stateGradient(0));
    if (gradND != null) {
      embeddingsBackward(gradND);
    }
  }

  private void embeddingsBackward(NDArray stateGradND) {
    try (IValue gradND = IValue.from((PtNDArray) stateGradND)) {
      IValueUtils.runMethod(
              training.ops,
              "embed_backward",
              gradND,
              saved.get(0),
              training.embeddings.weights(),
              training.embeddings.gradients().value())
          .close();
    }
  }

  /**
   * Returns the gradient of a block's input.
   *
   * @param outputGradND null if no loss depends on the block's output
   * @param losses gradients of its scores and vectors
   */
  private NDArray blockBackward(
      int block, @Nullable NDArray outputGradND, Map<String, PtNDArray> losses) {
    TrainingEncoder.Block weights = training.blocks.get(block - 1);
    try (IValue attention = IValue.stringMapFrom(losses)) {
      if (outputGradND == null) {
        return tensor(
            "relations_backward",
            attention,
            saved.get(block),
            weights.weights(),
            training.config,
            weights.qkvGradients().value());
      }
      try (IValue gradND = IValue.from((PtNDArray) outputGradND)) {
        return tensor(
            "block_backward",
            gradND,
            attention,
            saved.get(block),
            weights.weights(),
            training.config,
            weights.qkvGradients().value(),
            weights.gradients().value());
      }
    }
  }

  /** Returns the gradient of the losses on a hidden state, before its projection, (N, D). */
  private @Nullable NDArray stateGradient(int layer) {
    NDArray gradient = gradient(output.hidden().get(layer));
    TrainingEncoder.Projection projection = training.projections.get(layer);
    NDArray stateND = states.get(layer);
    if (gradient == null || projection == null || stateND == null) {
      return gradient;
    }
    try (IValue gradNE = IValue.from((PtNDArray) gradient);
        IValue input = IValue.from((PtNDArray) stateND);
        IValue weight = IValue.from((PtNDArray) projection.weightED())) {
      return tensor("project_backward", gradNE, input, weight, projection.gradients().value());
    }
  }

  /** Returns the gradients of the losses on a block's scores and vectors. */
  private Map<String, PtNDArray> attentionGradients(int block) {
    Map<String, PtNDArray> gradients = new HashMap<>();
    putGradient(gradients, "scores", output.scores().get(block));
    output
        .vectors()
        .getOrDefault(block, Map.of())
        .forEach((part, leaf) -> putGradient(gradients, key(part), leaf));
    return gradients;
  }

  private static void putGradient(
      Map<String, PtNDArray> gradients, String key, @Nullable NDArray leaf) {
    NDArray gradient = leaf == null ? null : Autograd.gradient(leaf);
    if (gradient != null) {
      gradients.put(key, (PtNDArray) gradient);
    }
  }

  /** Returns the gradient of a leaf (1, N, D) as (N, D). */
  private static @Nullable NDArray gradient(@Nullable NDArray leaf1ND) {
    NDArray gradient = leaf1ND == null ? null : Autograd.gradient(leaf1ND);
    return gradient == null
        ? null
        : gradient.reshape(gradient.getShape().get(1), gradient.getShape().get(2));
  }

  private static @Nullable NDArray plus(@Nullable NDArray a, @Nullable NDArray b) {
    return a == null ? b : b == null ? a : a.add(b);
  }

  private NDArray tensor(String method, IValue... arguments) {
    try (IValue result = IValueUtils.runMethod(training.ops, method, arguments)) {
      return result.toTensor(Autograd.manager(output.last()));
    }
  }

  /** Frees what the forward half saved; tensors of the output belong to the batch's manager. */
  @Override
  public void close() {
    saved.forEach(IValue::close);
  }
}

package io.stillhouse.checkpoint.foreign;

import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A model read from a foreign format.
 *
 * @param file the file with the tensors, for messages
 * @param tensors tensors by name, as in {@link EncoderSpec#parameters()}; kernels have shape (out,
 *     in)
 * @param heads number of attention heads
 * @param notes assumptions and omissions, for the user
 */
record Importable(
    Path file,
    Map<String, LazyTensor> tensors,
    int heads,
    double layerNormEps,
    List<String> notes) {
  private static final double DROPOUT = 0.1;

  /** Infers the spec of the model from the shapes of its tensors. */
  EncoderSpec spec(int padTokenId) {
    LazyTensor words = required(EncoderSpec.WORDS);
    int width = (int) words.shape().get(1);
    int layers = 0;
    while (tensors.containsKey(inner(layers + 1))) {
      layers++;
    }
    LazyTensor inner = required(inner(1));
    return new EncoderSpec(
        new EncoderSpec.Embeddings(
            (int) words.shape().get(0),
            (int) required("bert.embeddings.position_embeddings.weight").shape().get(0),
            (int) required("bert.embeddings.token_type_embeddings.weight").shape().get(0),
            padTokenId),
        new EncoderSpec.Blocks(layers, width, heads, (int) inner.shape().get(0)),
        new EncoderSpec.Numerics(layerNormEps, DROPOUT, DROPOUT, DROPOUT),
        tensors.containsKey("cls.predictions.transform.dense.weight") ? Head.MASKED_LM : Head.NONE);
  }

  private static String inner(int block) {
    return EncoderSpec.blockPrefix(block) + "intermediate.dense.weight";
  }

  private LazyTensor required(String name) {
    LazyTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw Errors.invalid(
          "'%s' has no tensor for '%s'".formatted(file, name),
          "only BERT encoders in float32 can be imported");
    }
    return tensor;
  }
}

package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.Activation;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A model read from a foreign format.
 *
 * @param file the file with the tensors, for messages
 * @param tensors tensors by name, as in {@link EncoderSpec#parameters()}; kernels have shape (out,
 *     in)
 * @param heads number of attention heads
 * @param activation activation function of the feed-forward layers
 * @param layerNormEps the number that LayerNorm adds to the variance
 * @param notes assumptions and omissions, for the user
 */
record Importable(
    Path file,
    Map<String, LazyTensor> tensors,
    int heads,
    Activation activation,
    double layerNormEps,
    List<String> notes) {
  /** The weight of a classifier's head, (classes, width). */
  static final String CLASSIFIER = "classifier.weight";

  private static final double DROPOUT = 0.1;

  /** Infers the spec of the model from the shapes of its tensors. */
  EncoderSpec spec(int padTokenId) {
    int width = columns(EncoderSpec.WORDS);
    int layers = 0;
    while (tensors.containsKey(inner(layers + 1))) {
      layers++;
    }
    if (heads < 1 || width % heads != 0) {
      throw Errors.invalid(
          format(
              "'%s' has %d attention heads, which do not divide its width %d", file, heads, width),
          "correct num_attention_heads in its config");
    }
    return new EncoderSpec(
        new EncoderSpec.Embeddings(
            rows(EncoderSpec.WORDS),
            rows("bert.embeddings.position_embeddings.weight"),
            rows("bert.embeddings.token_type_embeddings.weight"),
            padTokenId),
        new EncoderSpec.Blocks(layers, width, heads, rows(inner(1)), activation),
        new EncoderSpec.Numerics(layerNormEps, DROPOUT, DROPOUT, DROPOUT),
        head());
  }

  private Head head() {
    if (!tensors.containsKey(CLASSIFIER)) {
      return tensors.containsKey("cls.predictions.transform.dense.weight")
          ? Head.MASKED_LM
          : Head.NONE;
    }
    int classes = rows(CLASSIFIER);
    return classes == 1
        ? Head.REGRESSION
        : new Head(
            Task.CLASSIFICATION,
            IntStream.range(0, classes).mapToObj(label -> "LABEL_" + label).toList());
  }

  private static String inner(int block) {
    return EncoderSpec.blockPrefix(block) + "intermediate.dense.weight";
  }

  private int rows(String name) {
    return size(name, 0);
  }

  private int columns(String name) {
    return size(name, 1);
  }

  private int size(String name, int dimension) {
    LazyTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw Errors.invalid(
          format("'%s' has no tensor for '%s'", file, name),
          "only BERT encoders in float32 can be imported");
    }
    long size = tensor.shape().dimension() == 2 ? tensor.shape().get(dimension) : 0;
    if (size < 1 || size > Integer.MAX_VALUE) {
      throw Errors.invalid(
          format(
              "'%s' has a tensor of shape %s for '%s'",
              file, Errors.shortened(tensor.shape().toString()), name),
          "only BERT encoders in float32 can be imported");
    }
    return (int) size;
  }
}

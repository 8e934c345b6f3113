package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;

/**
 * Initializes the weights of a BiLSTM. The weights of its layers are drawn as in PyTorch: uniformly
 * within 1/sqrt(hidden size) for nn.LSTM, or within 1/sqrt(number of inputs) for nn.Linear. Each
 * tensor depends only on the seed and its own name.
 */
public final class BiLstmInit {

  /** Bound of the vectors of unknown words (Tang et al. 2019, arXiv:1903.12136, section 4.3). */
  private static final double WORD_BOUND = 0.25;

  private BiLstmInit() {}

  /** Returns weights with a teacher's word embeddings and random layers. */
  public static Map<String, NDArray> from(
      NDManager manager, BiLstmSpec spec, HuggingFaceDirectory teacher, long seed) {
    Map<String, NDArray> weights = new LinkedHashMap<>();
    for (String name : spec.parameters().keySet()) {
      NDArray weight =
          name.equals(BiLstmSpec.WORDS)
              ? Objects.requireNonNull(
                  teacher.weights(manager, List.of(EncoderSpec.WORDS)).get(EncoderSpec.WORDS))
              : random(manager, spec, name, seed, Map.of());
      weights.put(name, weight);
    }
    return weights;
  }

  /**
   * Returns random weights.
   *
   * @param known word vectors by token id, which replace random ones
   */
  public static Map<String, NDArray> random(
      NDManager manager, BiLstmSpec spec, Map<Integer, float[]> known, long seed) {
    Map<String, NDArray> weights = new LinkedHashMap<>();
    for (String name : spec.parameters().keySet()) {
      weights.put(name, random(manager, spec, name, seed, known));
    }
    return weights;
  }

  private static NDArray random(
      NDManager manager, BiLstmSpec spec, String name, long seed, Map<Integer, float[]> known) {
    long[] shape = Objects.requireNonNull(spec.parameters().get(name));
    double bound = bound(spec, name);
    Random random = StudentInit.generator(name, seed);
    float[] values = new float[Math.toIntExact(new Shape(shape).size())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (bound * (2 * random.nextDouble() - 1));
    }
    if (name.equals(BiLstmSpec.WORDS)) {
      known.forEach(
          (id, vector) -> System.arraycopy(vector, 0, values, id * vector.length, vector.length));
    }
    return StudentInit.tensor(manager, values, shape);
  }

  private static double bound(BiLstmSpec spec, String name) {
    if (name.equals(BiLstmSpec.WORDS)) {
      return WORD_BOUND;
    }
    int inputs =
        name.startsWith("lstm.")
            ? spec.units().hiddenSize()
            : name.startsWith("dense.") ? spec.features() : spec.units().intermediateSize();
    return 1 / Math.sqrt(inputs);
  }
}

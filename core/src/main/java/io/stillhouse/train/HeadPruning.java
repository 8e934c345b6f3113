package io.stillhouse.train;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.PrunedHeads;
import io.stillhouse.torch.Autograd;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Keeps the weights of pruned heads at zero: their rows of the query, key and value matrices and
 * biases, and the columns of the output projection that read them. The tensors keep the shapes that
 * Hugging Face expects, and the model computes the same as without these heads. This class only
 * applies a pruning; {@link PrunedHeads} determines which heads are pruned.
 *
 * <p>A weight of zero with zero gradient and moments stays zero, because weight decay multiplies
 * the weight and clipping multiplies the gradient.
 */
public final class HeadPruning {
  private HeadPruning() {}

  /** Sets the weights of pruned heads to zero. The weights must not require gradients. */
  public static void zeroWeights(
      EncoderSpec spec, PrunedHeads pruned, Map<String, NDArray> weights) {
    slicesOfHeads(spec, pruned)
        .forEach((name, slices) -> zero(Objects.requireNonNull(weights.get(name)), slices));
  }

  /** Sets the gradients of pruned heads' weights to zero, where gradients exist. */
  static void zeroGradients(ModelSpec student, PrunedHeads pruned, Map<String, NDArray> weights) {
    if (!(student instanceof EncoderSpec spec)) {
      return;
    }
    slicesOfHeads(spec, pruned)
        .forEach(
            (name, slices) -> {
              try (NDArray gradient =
                  Autograd.gradient(Objects.requireNonNull(weights.get(name)))) {
                if (gradient != null) {
                  zero(gradient, slices);
                }
              }
            });
  }

  /** Returns the slices of each tensor that belong to pruned heads. */
  private static Map<String, List<String>> slicesOfHeads(EncoderSpec spec, PrunedHeads pruned) {
    Map<String, List<String>> slices = new LinkedHashMap<>();
    for (int block = 1; block <= pruned.blocks().size(); block++) {
      String attention = spec.prefixOf(block) + "attention.";
      for (int head : pruned.blocks().get(block - 1)) {
        int size = spec.headSize();
        String slice = format("%d:%d", (head - 1) * size, head * size);
        for (String layer : List.of("self.query", "self.key", "self.value")) {
          add(slices, attention + layer + ".weight", slice);
          add(slices, attention + layer + ".bias", slice);
        }
        add(slices, attention + "output.dense.weight", ":, " + slice);
      }
    }
    return slices;
  }

  private static void add(Map<String, List<String>> parts, String name, String slice) {
    parts.computeIfAbsent(name, n -> new ArrayList<>()).add(slice);
  }

  private static void zero(NDArray tensor, List<String> slices) {
    slices.forEach(slice -> tensor.set(new NDIndex(slice), 0f));
  }
}

package io.stillhouse.train;

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
 * Keeps pruned heads at zero: the rows of query, key and value that make them, their biases, and
 * the columns of the output projection that read them. So the tensors have the shapes that Hugging
 * Face knows, and the model computes what it would without these heads.
 *
 * <p>A weight of zero without gradient and moments stays zero: decay multiplies it, clipping
 * multiplies the gradient.
 */
public final class HeadPruning {
  private HeadPruning() {}

  /** Sets what belongs to pruned heads to zero, in weights without gradients. */
  public static void zeroWeights(
      EncoderSpec spec, PrunedHeads pruned, Map<String, NDArray> weights) {
    parts(spec, pruned)
        .forEach((name, slices) -> zero(Objects.requireNonNull(weights.get(name)), slices));
  }

  /** Sets the gradients of what belongs to pruned heads to zero, where there are any. */
  static void zeroGradients(ModelSpec student, PrunedHeads pruned, Map<String, NDArray> weights) {
    if (!(student instanceof EncoderSpec spec)) {
      return;
    }
    parts(spec, pruned)
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

  /** Returns what belongs to pruned heads, by tensor. */
  private static Map<String, List<String>> parts(EncoderSpec spec, PrunedHeads pruned) {
    Map<String, List<String>> parts = new LinkedHashMap<>();
    for (int block = 1; block <= pruned.blocks().size(); block++) {
      String attention = spec.prefixOf(block) + "attention.";
      for (int head : pruned.blocks().get(block - 1)) {
        int size = spec.headSize();
        String slice = "%d:%d".formatted((head - 1) * size, head * size);
        for (String maker : List.of("self.query", "self.key", "self.value")) {
          add(parts, attention + maker + ".weight", slice);
          add(parts, attention + maker + ".bias", slice);
        }
        add(parts, attention + "output.dense.weight", ":, " + slice);
      }
    }
    return parts;
  }

  private static void add(Map<String, List<String>> parts, String name, String slice) {
    parts.computeIfAbsent(name, n -> new ArrayList<>()).add(slice);
  }

  private static void zero(NDArray tensor, List<String> slices) {
    slices.forEach(slice -> tensor.set(new NDIndex(slice), 0f));
  }
}

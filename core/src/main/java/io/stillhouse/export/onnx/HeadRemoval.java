package io.stillhouse.export.onnx;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.export.int8.Int8Tensor;
import io.stillhouse.spec.EncoderSpec;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Removes the attention heads that a model does not use. The columns of the output projection that
 * read a pruned head are zero, so the outputs do not change.
 */
final class HeadRemoval {
  private HeadRemoval() {}

  /**
   * Returns the weights without the rows and columns of unused heads. Each block keeps one head.
   */
  static Map<String, LazyTensor> apply(EncoderSpec spec, Map<String, LazyTensor> weights)
      throws IOException {
    Map<String, LazyTensor> smaller = new LinkedHashMap<>(weights);
    for (int block = 1; block <= spec.distinctBlocks(); block++) {
      String prefix = spec.prefixOf(block) + "attention.";
      String output = prefix + "output.dense.weight";
      int[] kept = kept(spec, Weights.of(weights, output).floats());
      if (kept.length == spec.heads()) {
        continue;
      }
      int[] places =
          IntStream.of(kept)
              .flatMap(
                  head -> IntStream.range(head * spec.headSize(), (head + 1) * spec.headSize()))
              .toArray();
      smaller.computeIfPresent(output, (name, weight) -> columns(weight, places));
      for (String ofInputs : List.of(Int8Tensor.INPUT_FACTOR, Int8Tensor.INPUT_MEAN_SQUARE)) {
        smaller.computeIfPresent(
            prefix + "output.dense" + ofInputs, (name, vector) -> rows(vector, places));
      }
      for (String part : List.of("query", "key", "value")) {
        for (String kind : List.of(".weight", ".bias")) {
          smaller.computeIfPresent(
              prefix + "self." + part + kind, (name, weight) -> rows(weight, places));
        }
      }
    }
    return smaller;
  }

  /** Returns the heads that the output projection reads, or the first if it reads none. */
  private static int[] kept(EncoderSpec spec, float[] outputDD) {
    int width = spec.hiddenSize();
    boolean[] used = new boolean[spec.heads()];
    for (int i = 0; i < outputDD.length; i++) {
      used[i % width / spec.headSize()] |= outputDD[i] != 0;
    }
    int[] kept = IntStream.range(0, used.length).filter(head -> used[head]).toArray();
    return kept.length == 0 ? new int[] {0} : kept;
  }

  private static LazyTensor rows(LazyTensor tensor, int[] rows) {
    int width = (int) (tensor.shape().size() / tensor.shape().get(0));
    long[] shape = tensor.shape().getShape().clone();
    shape[0] = rows.length;
    return tensor.changed(
        new Shape(shape),
        values -> {
          float[] chosen = new float[rows.length * width];
          for (int i = 0; i < rows.length; i++) {
            System.arraycopy(values, rows[i] * width, chosen, i * width, width);
          }
          return chosen;
        });
  }

  private static LazyTensor columns(LazyTensor tensor, int[] columns) {
    int rows = (int) tensor.shape().get(0);
    int width = (int) tensor.shape().get(1);
    return tensor.changed(
        new Shape(rows, columns.length),
        values -> {
          float[] chosen = new float[rows * columns.length];
          for (int i = 0; i < chosen.length; i++) {
            chosen[i] = values[i / columns.length * width + columns[i % columns.length]];
          }
          return chosen;
        });
  }
}

package io.stillhouse.export.onnx;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.LazyTensor;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Finds and joins the tensors of a model. */
final class Weights {
  private Weights() {}

  static LazyTensor of(Map<String, LazyTensor> weights, String name) {
    return Objects.requireNonNull(weights.get(name), name);
  }

  /** Returns the values of several tensors one after another. */
  static LazyTensor joined(Shape shape, List<LazyTensor> tensors) {
    return LazyTensor.computed(
        shape,
        () -> {
          float[] values = new float[Math.toIntExact(shape.size())];
          int at = 0;
          for (LazyTensor tensor : tensors) {
            float[] part = tensor.floats();
            System.arraycopy(part, 0, values, at, part.length);
            at += part.length;
          }
          return values;
        });
  }
}

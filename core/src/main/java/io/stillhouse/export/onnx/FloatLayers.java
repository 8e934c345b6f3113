package io.stillhouse.export.onnx;

import io.stillhouse.checkpoint.LazyTensor;
import java.util.List;
import java.util.Map;

/** Stores weights in float32. Kernels are stored as (in, out), which MatMul reads. */
record FloatLayers(Graph graph, Map<String, LazyTensor> weights) implements Layers {
  @Override
  public String rows(String module, String table, String ids) {
    return graph.node(module, "Gather", vector(table), ids);
  }

  @Override
  public String linear(String module, String input, String layer) {
    LazyTensor kernel = Weights.of(weights, layer + ".weight").transposed();
    String product = graph.node(module, "MatMul", input, graph.weight(layer + ".kernel", kernel));
    return graph.node(module, "Add", product, vector(layer + ".bias"));
  }

  @Override
  public String products(String module, String input, String table) {
    String transposed =
        graph.node(module, "Transpose", List.of(Attribute.numbers("perm", 1, 0)), vector(table));
    return graph.node(module, "MatMul", input, transposed);
  }

  @Override
  public String kernels(String module, String name, LazyTensor kernels) {
    return graph.weight(name, kernels);
  }

  @Override
  public String vector(String name) {
    return graph.weight(name, Weights.of(weights, name));
  }
}

package io.stillhouse.export.onnx;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.export.int8.Int8Tensor;
import io.stillhouse.export.int8.WeightBits;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Stores kernels and tables in int8, with a float32 scale for each output column of a kernel and
 * each row of a table. Inputs of products are quantized to uint8 when the model runs, with one
 * scale per tensor; a tensor that several layers read is quantized once, and layers that read the
 * same tensor have the same factors. Operators are those of ONNX's standard, in the sequence that
 * ONNX Runtime fuses.
 *
 * <p>A scale per row needs few bytes, and allows a masked LM to use the same table as its decoder.
 */
final class Int8Layers implements Layers {
  private final Graph graph;
  private final Map<String, LazyTensor> weights;
  private final WeightBits bits;
  private final Map<String, List<String>> quantized = new HashMap<>();

  Int8Layers(Graph graph, Map<String, LazyTensor> weights, WeightBits bits) {
    this.graph = graph;
    this.weights = weights;
    this.bits = bits;
  }

  @Override
  public Graph graph() {
    return graph;
  }

  @Override
  public String rows(String module, String table, String ids) {
    Stored stored = store(table, Weights.of(weights, table));
    String rows = graph.node(module, "Gather", stored.values(), ids);
    String scales = graph.node(module, "Gather", stored.scales(), ids);
    return graph.node(module, "Mul", cast(module, rows), scales);
  }

  @Override
  public String linear(String module, String input, String layer) {
    Int8Tensor weight = Int8Tensor.ofLayer(weights, layer, bits);
    Shape shape = weight.tensor().shape();
    String kernel =
        graph.add(
            new Initializer(
                layer + ".kernel_quantized",
                ElementType.INT8,
                new Shape(shape.get(1), shape.get(0)),
                weight::transposed));
    String scales = graph.weight(layer + ".kernel_scale", weight.scales(new Shape(shape.get(0))));
    String product = product(module, input, layer, kernel, scales);
    return graph.node(module, "Add", product, vector(layer + ".bias"));
  }

  @Override
  public String products(String module, String input, String table) {
    Stored stored = store(table, Weights.of(weights, table));
    String kernel =
        graph.node(module, "Transpose", List.of(Attribute.numbers("perm", 1, 0)), stored.values());
    String scales = graph.node(module, "Reshape", stored.scales(), graph.list(-1));
    return product(module, input, table, kernel, scales);
  }

  @Override
  public String kernels(String module, String name, LazyTensor kernels) {
    Stored stored = store(name, kernels);
    return graph.node(module, "Mul", cast(module, stored.values()), stored.scales());
  }

  @Override
  public String vector(String name) {
    return graph.weight(name, Weights.of(weights, name));
  }

  /** Multiplies by the kernel of a layer. */
  private String product(String module, String input, String layer, String kernel, String scales) {
    List<String> activations =
        quantized.computeIfAbsent(input, name -> quantized(module, name, layer));
    String zero = graph.add(Initializer.scalar("zero_point", (byte) 0));
    String sums =
        graph.node(module, "MatMulInteger", activations.get(0), kernel, activations.get(2), zero);
    String scale = graph.node(module, "Mul", activations.get(1), scales);
    return graph.node(module, "Mul", cast(module, sums), scale);
  }

  /** Returns the names of a layer's input in uint8, and of its scale and zero point. */
  private List<String> quantized(String module, String input, String layer) {
    LazyTensor factor = weights.get(layer + Int8Tensor.INPUT_FACTOR);
    String scaled =
        factor == null
            ? input
            : graph.node(
                module, "Mul", input, graph.weight(layer + Int8Tensor.INPUT_FACTOR, factor));
    return graph.nodes(module, "DynamicQuantizeLinear", 3, List.of(), scaled);
  }

  /** The names of a tensor's int8 values, and of the scales of its rows, whose last axis is 1. */
  private record Stored(String values, String scales) {}

  private Stored store(String name, LazyTensor tensor) {
    Int8Tensor rows = new Int8Tensor(tensor, null, bits);
    long[] shape = tensor.shape().getShape().clone();
    shape[shape.length - 1] = 1;
    String values =
        graph.add(
            new Initializer(name + "_quantized", ElementType.INT8, tensor.shape(), rows::values));
    return new Stored(values, graph.weight(name + "_scale", rows.scales(new Shape(shape))));
  }

  private String cast(String module, String input) {
    return graph.node(
        module, "Cast", List.of(Attribute.number("to", ElementType.FLOAT.number())), input);
  }
}

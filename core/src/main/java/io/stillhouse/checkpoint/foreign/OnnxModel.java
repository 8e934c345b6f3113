package io.stillhouse.checkpoint.foreign;

import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.EncoderSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A BERT encoder that PyTorch exported to ONNX. The exporter keeps the names of biases and
 * LayerNorm weights. A kernel is the second input of the MatMul node that is named after its
 * module, and has shape (in, out).
 */
final class OnnxModel {
  private static final String MATMUL = "/MatMul";

  private OnnxModel() {}

  static Importable read(Path file) throws IOException {
    OnnxGraph graph = OnnxGraph.read(file);
    Map<String, LazyTensor> tensors = new LinkedHashMap<>();
    List<String> notes = new ArrayList<>();
    graph
        .initializers()
        .forEach(
            (name, tensor) -> {
              if (!tensor.isFloat() || name.startsWith("onnx::")) {
                return;
              }
              String canonical = canonical(name);
              if (canonical.startsWith("bert.")) {
                tensors.put(canonical, new LazyTensor(tensor.shape(), tensor::bytes));
              } else {
                notes.add("left out tensor '%s'".formatted(name));
              }
            });
    for (OnnxGraph.Node node : graph.nodes()) {
      kernel(file, graph, node, tensors);
    }
    requireErfGelu(file, graph);
    return new Importable(
        file, tensors, heads(file, graph, tensors), layerNormEps(file, graph), notes);
  }

  /** Adds the kernel of a MatMul node under the name of its parameter. */
  private static void kernel(
      Path file, OnnxGraph graph, OnnxGraph.Node node, Map<String, LazyTensor> tensors) {
    boolean matmul = node.operator().equals("MatMul") && node.name().endsWith(MATMUL);
    if (!matmul || node.inputs().size() < 2) {
      return;
    }
    OnnxGraph.Tensor kernel = graph.initializers().get(node.inputs().get(1));
    if (kernel == null || !kernel.isFloat() || kernel.shape().dimension() != 2) {
      return;
    }
    String module =
        node.name().substring(1, node.name().length() - MATMUL.length()).replace('/', '.');
    String name = canonical(module + ".weight");
    if (tensors.containsKey(name)) {
      throw Errors.invalid(
          "'%s' has two kernels for '%s'".formatted(file, name),
          "export the encoder alone, without optimization");
    }
    tensors.put(name, new LazyTensor(kernel.shape(), kernel::bytes).transposed());
  }

  private static String canonical(String name) {
    for (String part : List.of("embeddings.", "encoder.", "pooler.")) {
      if (name.startsWith(part)) {
        return "bert." + name;
      }
      // The encoder may be inside a module of any name, such as auto_model.
      int at = name.indexOf("." + part);
      if (at >= 0 && !name.substring(0, at).contains("encoder")) {
        return "bert" + name.substring(at);
      }
    }
    return name;
  }

  private static void requireErfGelu(Path file, OnnxGraph graph) {
    boolean exact =
        graph.nodes().stream()
            .filter(node -> node.name().contains("intermediate"))
            .anyMatch(
                node ->
                    node.operator().equals("Erf")
                        || node.operator().equals("Gelu")
                            && !node.text("approximate").equals("tanh"));
    if (!exact) {
      throw Errors.invalid(
          "'%s' does not use the exact (erf) gelu".formatted(file),
          "use a BERT encoder with hidden_act gelu");
    }
  }

  /**
   * Finds the pair (heads, head size) among the constants that reshape the first block's vectors.
   */
  private static int heads(Path file, OnnxGraph graph, Map<String, LazyTensor> tensors) {
    LazyTensor words = tensors.get(EncoderSpec.WORDS);
    long width = words == null || words.shape().dimension() != 2 ? 0 : words.shape().get(1);
    List<Long> integers = new ArrayList<>();
    for (OnnxGraph.Node node : graph.nodes()) {
      if (node.name().contains("layer.0/attention/self/")) {
        node.outputs().stream()
            .map(graph.constants()::get)
            // Shapes are lists. Scalars are axes, and axis 1 followed by the full width would look
            // like one head.
            .filter(constant -> constant != null && constant.shape().dimension() == 1)
            .forEach(constant -> integers.addAll(constant.integers()));
      }
    }
    for (int i = 1; i < integers.size(); i++) {
      long heads = integers.get(i - 1);
      if (heads > 0 && integers.get(i) > 1 && heads * integers.get(i) == width) {
        return (int) heads;
      }
    }
    throw Errors.invalid(
        "'%s' does not specify the number of attention heads of %s"
            .formatted(file, EncoderSpec.blockPrefix(1) + "attention"),
        "import the model's Hugging Face directory instead");
  }

  /** Finds the epsilon that is added to the variance. */
  private static double layerNormEps(Path file, OnnxGraph graph) {
    for (OnnxGraph.Node node : graph.nodes()) {
      if (node.operator().equals("Add") && node.name().endsWith("embeddings/LayerNorm/Add")) {
        for (String input : node.inputs()) {
          OnnxGraph.Tensor constant = graph.constants().get(input);
          if (constant != null && constant.isFloat()) {
            // Use the shortest decimal: 1.0E-12, not 9.999999960041972E-13.
            return Double.parseDouble(Float.toString(constant.bytes().getFloat()));
          }
        }
      }
      if (node.operator().equals("LayerNormalization")) {
        return node.number("epsilon", 1e-5f);
      }
    }
    throw Errors.invalid(
        "'%s' does not specify LayerNorm's epsilon".formatted(file),
        "import the model's Hugging Face directory instead");
  }
}

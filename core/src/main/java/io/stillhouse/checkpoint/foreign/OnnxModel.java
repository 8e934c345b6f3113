package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import com.google.protobuf.InvalidProtocolBufferException;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.Activation;
import io.stillhouse.spec.EncoderSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
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
    try {
      return parse(file);
    } catch (InvalidProtocolBufferException e) {
      throw OnnxTensor.damaged(file, Errors.shortened(String.valueOf(e.getMessage())));
    }
  }

  private static Importable parse(Path file) throws IOException {
    OnnxGraph graph = OnnxGraph.read(file);
    NamedTensors tensors = new NamedTensors(file);
    List<String> notes = new ArrayList<>();
    List<String> leftOut = new ArrayList<>();
    for (Map.Entry<String, OnnxTensor> initializer : graph.initializers().entrySet()) {
      String name = initializer.getKey();
      if (!initializer.getValue().isFloat() || name.startsWith("onnx::")) {
        continue;
      }
      String canonical = canonical(name);
      if (canonical.startsWith("bert.")) {
        tensors.put(canonical, name, initializer.getValue().floats());
      } else {
        leftOut.add(Errors.shortened(name));
      }
    }
    if (!leftOut.isEmpty()) {
      notes.add("left out tensors that are not BERT's: " + Errors.joined(leftOut));
    }
    for (OnnxGraph.Node node : graph.nodes()) {
      kernel(graph, node, tensors);
    }
    requireErfGelu(file, graph);
    return new Importable(
        file,
        tensors.byName(),
        heads(file, graph, tensors.byName()),
        Activation.GELU,
        layerNormEps(file, graph),
        notes);
  }

  /** Adds the kernel of a MatMul node under the name of its parameter. */
  private static void kernel(OnnxGraph graph, OnnxGraph.Node node, NamedTensors tensors)
      throws IOException {
    boolean matmul = node.operator().equals("MatMul") && node.name().matches("(?s)/.+" + MATMUL);
    if (!matmul || node.inputs().size() < 2) {
      return;
    }
    OnnxTensor kernel = graph.initializers().get(node.inputs().get(1));
    if (kernel == null || !kernel.isFloat() || kernel.shape().dimension() != 2) {
      return;
    }
    String module =
        node.name().substring(1, node.name().length() - MATMUL.length()).replace('/', '.');
    tensors.put(canonical(module + ".weight"), node.name(), kernel.floats().transposed());
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
          format("'%s' does not use the exact (erf) gelu", file),
          "use a BERT encoder with hidden_act gelu");
    }
  }

  /**
   * Finds the pair (heads, head size) among the constants that reshape the first block's vectors.
   */
  private static int heads(Path file, OnnxGraph graph, Map<String, LazyTensor> tensors)
      throws IOException {
    LazyTensor words = tensors.get(EncoderSpec.WORDS);
    long width = words == null || words.shape().dimension() != 2 ? 0 : words.shape().get(1);
    List<Long> integers = new ArrayList<>();
    for (OnnxGraph.Node node : graph.nodes()) {
      if (node.name().contains("layer.0/attention/self/")) {
        for (String output : node.outputs()) {
          OnnxTensor constant = graph.constants().get(output);
          // Shapes are lists. Scalars are axes, and axis 1 followed by the full width would look
          // like one head.
          if (constant != null && constant.shape().dimension() == 1) {
            integers.addAll(constant.integers());
          }
        }
      }
    }
    for (int i = 1; i < integers.size(); i++) {
      long heads = integers.get(i - 1);
      boolean divides = heads > 0 && heads <= width && width % heads == 0;
      if (divides && integers.get(i) > 1 && integers.get(i) == width / heads) {
        return (int) heads;
      }
    }
    throw Errors.invalid(
        format(
            "'%s' does not specify the number of attention heads of %s",
            file, EncoderSpec.blockPrefix(1) + "attention"),
        "import the model's Hugging Face directory instead");
  }

  /** Finds the epsilon that is added to the variance. */
  private static double layerNormEps(Path file, OnnxGraph graph) throws IOException {
    double eps = statedEps(file, graph);
    if (!(eps > 0 && eps < 1)) {
      throw OnnxTensor.damaged(file, "LayerNorm's epsilon is " + eps);
    }
    return eps;
  }

  private static double statedEps(Path file, OnnxGraph graph) throws IOException {
    for (OnnxGraph.Node node : graph.nodes()) {
      if (node.operator().equals("Add") && node.name().endsWith("embeddings/LayerNorm/Add")) {
        for (String input : node.inputs()) {
          OnnxTensor constant = graph.constants().get(input);
          if (constant != null && constant.isFloat() && constant.shape().size() == 1) {
            float value = constant.floats().bytes().read().order(LITTLE_ENDIAN).getFloat();
            // Use the shortest decimal: 1.0E-12, not 9.999999960041972E-13.
            return Double.parseDouble(Float.toString(value));
          }
        }
      }
      if (node.operator().equals("LayerNormalization")) {
        return node.number("epsilon", 1e-5f);
      }
    }
    throw Errors.invalid(
        format("'%s' does not specify LayerNorm's epsilon", file),
        "import the model's Hugging Face directory instead");
  }
}

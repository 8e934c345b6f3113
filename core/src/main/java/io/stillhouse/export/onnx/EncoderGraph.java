package io.stillhouse.export.onnx;

import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import java.util.List;
import java.util.Map;

/**
 * Adds the operators of an encoder and its head to a graph. Each computation is written as
 * PyTorch's exporter writes it, because runtimes recognize LayerNorm, GELU and attention by these
 * sequences of nodes.
 *
 * <p>B is the batch, L the length, D the width, H the number of heads, K a head's width, and V the
 * vocabulary.
 */
final class EncoderGraph {
  static final String LOGITS = "logits";
  static final String LAST_HIDDEN_STATE = "last_hidden_state";

  private final EncoderSpec spec;
  private final Map<String, LazyTensor> weights;
  private final Layers layers;
  private final Graph graph;

  private EncoderGraph(EncoderSpec spec, Map<String, LazyTensor> weights, Layers layers) {
    this.spec = spec;
    this.weights = weights;
    this.layers = layers;
    this.graph = layers.graph();
  }

  /**
   * Adds an encoder.
   *
   * @param weights tensors by the names of {@link EncoderSpec#parameters()}, perhaps with fewer
   *     heads than the spec
   * @param layers stores these weights
   * @param inputs the declared inputs
   * @param batch the batch axis of the output
   */
  static void add(
      EncoderSpec spec,
      Map<String, LazyTensor> weights,
      Layers layers,
      EncoderInputs inputs,
      Object batch) {
    EncoderGraph encoder = new EncoderGraph(spec, weights, layers);
    String stateBLD = encoder.embeddings(inputs);
    for (int block = 1; block <= spec.layers(); block++) {
      stateBLD = encoder.block(block, stateBLD, inputs.maskBias());
    }
    encoder.head(stateBLD, batch);
  }

  private String embeddings(EncoderInputs inputs) {
    String module = "bert.embeddings";
    String sum = layers.rows(module + ".word_embeddings", EncoderSpec.WORDS, inputs.words());
    if (spec.architecture().hasSegments()) {
      String table = module + ".token_type_embeddings";
      sum = graph.node(module, "Add", sum, layers.rows(table, table + ".weight", inputs.types()));
    }
    String table = module + ".position_embeddings";
    sum = graph.node(module, "Add", sum, layers.rows(table, table + ".weight", inputs.positions()));
    String norm = norm(module + ".LayerNorm", sum, module + ".LayerNorm");
    return spec.architecture().mapsEmbeddings()
        ? layers.linear(EncoderSpec.MAPPING, norm, EncoderSpec.MAPPING)
        : norm;
  }

  private String block(int block, String inputBLD, String maskBias) {
    String module = EncoderSpec.blockPrefix(block);
    String prefix = spec.prefixOf(block);
    String context = attention(module + "attention.self", prefix, inputBLD, maskBias);
    String attended =
        layers.linear(
            module + "attention.output.dense", context, prefix + "attention.output.dense");
    String middle =
        norm(
            module + "attention.output.LayerNorm",
            graph.node(module + "attention.output", "Add", attended, inputBLD),
            prefix + "attention.output.LayerNorm");
    String inner =
        layers.linear(module + "intermediate.dense", middle, prefix + "intermediate.dense");
    String activated = activation(module + "intermediate", inner);
    String outer = layers.linear(module + "output.dense", activated, prefix + "output.dense");
    return norm(
        module + "output.LayerNorm",
        graph.node(module + "output", "Add", outer, middle),
        prefix + "output.LayerNorm");
  }

  /** Returns the context vectors of a block, (B, L, H * K). */
  private String attention(String module, String prefix, String inputBLD, String maskBias) {
    long width = Weights.of(weights, prefix + "attention.self.query.bias").shape().get(0);
    long[] byHead = {0, 0, width / spec.headSize(), spec.headSize()};
    String queriesBHLK = heads(module, prefix, "query", inputBLD, byHead, 0, 2, 1, 3);
    String keysBHKL = heads(module, prefix, "key", inputBLD, byHead, 0, 2, 3, 1);
    String valuesBHLK = heads(module, prefix, "value", inputBLD, byHead, 0, 2, 1, 3);
    String products = graph.node(module, "MatMul", queriesBHLK, keysBHKL);
    String scores =
        graph.node(module, "Div", products, graph.scalar((float) Math.sqrt(spec.headSize())));
    String masked = graph.node(module, "Add", scores, maskBias);
    String probabilities =
        graph.node(module, "Softmax", List.of(Attribute.number("axis", 3)), masked);
    String contextBHLK = graph.node(module, "MatMul", probabilities, valuesBHLK);
    String contextBLHK =
        graph.node(
            module, "Transpose", List.of(Attribute.numbers("perm", 0, 2, 1, 3)), contextBHLK);
    return graph.node(module, "Reshape", contextBLHK, graph.list(0, 0, width));
  }

  private String heads(
      String module, String prefix, String part, String inputBLD, long[] shape, long... order) {
    String vectors =
        layers.linear(module + "." + part, inputBLD, prefix + "attention.self." + part);
    String byHead = graph.node(module, "Reshape", vectors, graph.list(shape));
    return graph.node(module, "Transpose", List.of(Attribute.numbers("perm", order)), byHead);
  }

  private String norm(String module, String input, String name) {
    List<Attribute> last = List.of(Attribute.numbers("axes", -1), Attribute.number("keepdims", 1));
    String mean = graph.node(module, "ReduceMean", last, input);
    String centered = graph.node(module, "Sub", input, mean);
    String squared = graph.node(module, "Pow", centered, graph.scalar(2f));
    String variance = graph.node(module, "ReduceMean", last, squared);
    String stable =
        graph.node(module, "Add", variance, graph.scalar((float) spec.numerics().layerNormEps()));
    String deviation = graph.node(module, "Sqrt", stable);
    String normal = graph.node(module, "Div", centered, deviation);
    String scaled = graph.node(module, "Mul", normal, layers.vector(name + ".weight"));
    return graph.node(module, "Add", scaled, layers.vector(name + ".bias"));
  }

  private String activation(String module, String input) {
    return switch (spec.blocks().activation()) {
      case GELU -> {
        String scaled = graph.node(module, "Div", input, graph.scalar((float) Math.sqrt(2)));
        String plus =
            graph.node(module, "Add", graph.node(module, "Erf", scaled), graph.scalar(1f));
        yield graph.node(module, "Mul", graph.node(module, "Mul", input, plus), graph.scalar(0.5f));
      }
      case GELU_NEW, GELU_PYTORCH_TANH -> {
        String cubed = graph.node(module, "Pow", input, graph.scalar(3f));
        String inner =
            graph.node(
                module, "Add", input, graph.node(module, "Mul", cubed, graph.scalar(0.044715f)));
        String scaled =
            graph.node(module, "Mul", inner, graph.scalar((float) Math.sqrt(2 / Math.PI)));
        String plus =
            graph.node(module, "Add", graph.node(module, "Tanh", scaled), graph.scalar(1f));
        yield graph.node(module, "Mul", graph.node(module, "Mul", input, graph.scalar(0.5f)), plus);
      }
      case RELU -> graph.node(module, "Relu", input);
    };
  }

  private void head(String stateBLD, Object batch) {
    switch (spec.head().task()) {
      case NONE ->
          graph.output(
              stateBLD,
              LAST_HIDDEN_STATE,
              ElementType.FLOAT,
              batch,
              EncoderInputs.LENGTH,
              spec.hiddenSize());
      case MASKED_LM -> {
        String name = "cls.predictions.transform";
        String inner = layers.linear(name + ".dense", stateBLD, name + ".dense");
        String normal = norm(name + ".LayerNorm", activation(name, inner), name + ".LayerNorm");
        String decoder = "cls.predictions.decoder";
        String products = layers.products(decoder, normal, EncoderSpec.WORDS);
        String logits = graph.node(decoder, "Add", products, layers.vector("cls.predictions.bias"));
        graph.output(
            logits, LOGITS, ElementType.FLOAT, batch, EncoderInputs.LENGTH, spec.vocabSize());
      }
      case CLASSIFICATION, REGRESSION, MULTI_LABEL -> {
        String pooler = "bert.pooler";
        List<Attribute> axis = List.of(Attribute.number("axis", 1));
        String firstBD = graph.node(pooler, "Gather", axis, stateBLD, graph.scalar(0L));
        String inner = layers.linear(pooler + ".dense", firstBD, pooler + ".dense");
        boolean rectified = spec.architecture() == Architecture.DISTILBERT;
        String pooled = graph.node(pooler, rectified ? "Relu" : "Tanh", inner);
        String logits = layers.linear("classifier", pooled, "classifier");
        graph.output(logits, LOGITS, ElementType.FLOAT, batch, spec.head().outputs());
      }
    }
  }
}

package io.stillhouse.export.onnx;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.spec.EncoderSpec;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The inputs of an encoder's graph, and the mask that its blocks add to attention scores.
 *
 * @param words token ids, (B, L)
 * @param types segment ids, (B, L); unused if the architecture has no segments
 * @param positions (B, L)
 * @param maskBias 0 at real tokens, -10000 at padding, (B, 1, 1, L)
 */
record EncoderInputs(String words, String types, String positions, String maskBias) {
  static final String BATCH = "batch_size";
  static final String LENGTH = "sequence_length";
  static final String IDS = "input_ids";
  static final String MASK = "attention_mask";
  static final String TYPES = "token_type_ids";

  private static final String TYPE_TABLE = "bert.embeddings.token_type_embeddings.weight";
  private static final long MIN_TYPES = 8;

  /**
   * After the softmax, the weight of padding is exactly 0 as with the smallest finite float32;
   * runtimes recognize this constant.
   */
  private static final float MASKED = -10000f;

  /** Declares the inputs under the names and in the order of Hugging Face's Optimum. */
  static EncoderInputs of(Graph graph, EncoderSpec spec) {
    String words = graph.input(IDS, ElementType.INT64, BATCH, LENGTH);
    String mask = graph.input(MASK, ElementType.INT64, BATCH, LENGTH);
    String types =
        spec.architecture().hasSegments()
            ? graph.input(TYPES, ElementType.INT64, BATCH, LENGTH)
            : "";
    String module = "bert.embeddings";
    String shape = graph.node(module, "Shape", words);
    String length =
        graph.node(module, "Gather", List.of(Attribute.number("axis", 0)), shape, graph.scalar(1L));
    String range = graph.node(module, "Range", graph.scalar(0L), length, graph.scalar(1L));
    String row = graph.node(module, "Unsqueeze", List.of(Attribute.numbers("axes", 0)), range);
    String positions = graph.node(module, "Expand", row, shape);
    return new EncoderInputs(words, types, positions, bias(graph, mask, ElementType.INT64));
  }

  /**
   * Declares inputs that ncnn's converter supports: one row, a float32 mask, and positions as an
   * input, because ncnn has no operators on shapes.
   */
  static EncoderInputs forNcnn(Graph graph, EncoderSpec spec) {
    String words = graph.input(IDS, ElementType.INT64, 1, LENGTH);
    String mask = graph.input(MASK, ElementType.FLOAT, 1, LENGTH);
    String types =
        spec.architecture().hasSegments() ? graph.input(TYPES, ElementType.INT64, 1, LENGTH) : "";
    String positions = graph.input("position_ids", ElementType.INT64, 1, LENGTH);
    return new EncoderInputs(words, types, positions, bias(graph, mask, ElementType.FLOAT));
  }

  /**
   * Returns weights with eight or more rows in the table of segments. ncnn's converter runs the
   * graph with 7 as the value of every integer, and fails if a table has no such row.
   */
  static Map<String, LazyTensor> withMoreTypes(Map<String, LazyTensor> weights) {
    Map<String, LazyTensor> more = new LinkedHashMap<>(weights);
    more.computeIfPresent(
        TYPE_TABLE,
        (name, table) -> {
          long rows = Math.max(MIN_TYPES, table.shape().get(0));
          long width = table.shape().get(1);
          int size = Math.toIntExact(rows * width);
          return table.changed(new Shape(rows, width), values -> Arrays.copyOf(values, size));
        });
    return more;
  }

  private static String bias(Graph graph, String maskBL, ElementType type) {
    String module = "bert";
    String maskB1L = graph.node(module, "Unsqueeze", List.of(Attribute.numbers("axes", 1)), maskBL);
    String maskB11L =
        graph.node(module, "Unsqueeze", List.of(Attribute.numbers("axes", 2)), maskB1L);
    String floats =
        type == ElementType.FLOAT
            ? maskB11L
            : graph.node(
                module,
                "Cast",
                List.of(Attribute.number("to", ElementType.FLOAT.number())),
                maskB11L);
    String inverse = graph.node(module, "Sub", graph.scalar(1f), floats);
    return graph.node(module, "Mul", inverse, graph.scalar(MASKED));
  }
}

package io.stillhouse.export.onnx;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.BiLstmSpec.Direction;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Adds the operators of a BiLSTM to a graph. Of ONNX's LSTM, only the states of all steps are read:
 * its output of the last states is wrong or missing in some runtimes. Reshape has the width as a
 * number, because TensorFlow Lite cannot infer it when the length changes. LSTM's lengths of
 * sequences are not used, because OpenVINO ignores them.
 *
 * <p>B is the batch, L the length, D the width of word vectors, H that of a direction's state.
 */
final class BiLstmGraph {
  private static final String MODULE = "lstm";

  /**
   * ONNX's order of the gates is input, output, forget, cell; PyTorch's input, forget, cell,
   * output.
   */
  private static final int[] GATES = {0, 3, 1, 2};

  private final BiLstmSpec spec;
  private final Map<String, LazyTensor> weights;
  private final Layers layers;
  private final Graph graph;

  private BiLstmGraph(BiLstmSpec spec, Map<String, LazyTensor> weights, Layers layers) {
    this.spec = spec;
    this.weights = weights;
    this.layers = layers;
    this.graph = layers.graph();
  }

  /**
   * Adds a BiLSTM.
   *
   * @param weights tensors by the names of {@link BiLstmSpec#parameters()}
   * @param layers stores these weights
   * @param texts the one or two texts
   * @param batch the batch axis of the output
   */
  static void add(
      BiLstmSpec spec,
      Map<String, LazyTensor> weights,
      Layers layers,
      List<BiLstmInputs> texts,
      Object batch) {
    BiLstmGraph model = new BiLstmGraph(spec, weights, layers);
    List<String> states = texts.stream().map(model::lastStates).toList();
    model.head(states, batch);
  }

  /** Returns the last states of both directions, (B, 2 * H). */
  private String lastStates(BiLstmInputs text) {
    String vectorsBLD = layers.rows("embeddings", BiLstmSpec.WORDS, text.ids());
    String vectorsLBD = transposed(vectorsBLD, 1, 0, 2);
    List<String> states1BH =
        text.lengths().isEmpty() ? wholeRows(vectorsLBD) : paddedRows(text, vectorsLBD);
    String both1BW =
        graph.node(
            MODULE,
            "Concat",
            List.of(Attribute.number("axis", 2)),
            states1BH.toArray(String[]::new));
    return reshaped(both1BW, -1, 2L * spec.units().hiddenSize());
  }

  /** Reads rows without padding. */
  private List<String> wholeRows(String vectorsLBD) {
    int hidden = spec.units().hiddenSize();
    String statesL2BH = lstm("", "bidirectional", vectorsLBD, Direction.values());
    String statesLBW = reshaped(transposed(statesL2BH, 0, 2, 1, 3), 0, 0, 2L * hidden);
    String last = slice(statesLBW, 0, -1, Integer.MAX_VALUE);
    String first = slice(statesLBW, 0, 0, 1);
    return List.of(slice(last, 2, 0, hidden), slice(first, 2, hidden, 2L * hidden));
  }

  /**
   * Reads padded rows: the tokens are put into the opposite order for the backward direction, so
   * that both directions end at the last token.
   */
  private List<String> paddedRows(BiLstmInputs text, String vectorsLBD) {
    String backwardLBD =
        graph.node(
            MODULE,
            "ReverseSequence",
            List.of(Attribute.number("batch_axis", 1), Attribute.number("time_axis", 0)),
            vectorsLBD,
            text.lengths());
    String lastB = graph.node(MODULE, "Sub", text.lengths(), graph.scalar(1L));
    String lastB1 = unsqueezed(lastB);
    String positionsL = BiLstmInputs.positions(graph, text.ids());
    String chosenBL =
        graph.node(
            MODULE,
            "Cast",
            List.of(Attribute.number("to", ElementType.FLOAT.number())),
            graph.node(MODULE, "Equal", positionsL, lastB1));
    String chosenB1L = unsqueezed(chosenBL);
    return List.of(
        chosen(lstm(".forward", "forward", vectorsLBD, Direction.FORWARD), chosenB1L),
        chosen(lstm(".backward", "forward", backwardLBD, Direction.BACKWARD), chosenB1L));
  }

  /** Returns one state of each row, (1, B, H). */
  private String chosen(String statesL1BH, String chosenB1L) {
    String statesBLH =
        reshaped(transposed(statesL1BH, 2, 0, 1, 3), 0, -1, spec.units().hiddenSize());
    return transposed(graph.node(MODULE, "MatMul", chosenB1L, statesBLH), 1, 0, 2);
  }

  /** Returns the states of all steps, (L, directions, B, H). */
  private String lstm(String suffix, String order, String vectorsLBD, Direction... directions) {
    String inputs =
        layers.kernels(MODULE, "lstm" + suffix + ".W", kernels("weight_ih", directions));
    String states =
        layers.kernels(MODULE, "lstm" + suffix + ".R", kernels("weight_hh", directions));
    String biases = graph.weight("lstm" + suffix + ".B", biases(directions));
    return graph.node(
        MODULE,
        "LSTM",
        List.of(
            Attribute.text("direction", order),
            Attribute.number("hidden_size", spec.units().hiddenSize())),
        vectorsLBD,
        inputs,
        states,
        biases);
  }

  private void head(List<String> statesBW, Object batch) {
    String features = statesBW.get(0);
    if (statesBW.size() == 2) {
      String second = statesBW.get(1);
      String product = graph.node("features", "Mul", features, second);
      String difference =
          graph.node("features", "Abs", graph.node("features", "Sub", features, second));
      features =
          graph.node(
              "features",
              "Concat",
              List.of(Attribute.number("axis", 1)),
              features,
              second,
              product,
              difference);
    }
    String inner = graph.node("dense", "Relu", layers.linear("dense", features, "dense"));
    String logits = layers.linear("classifier", inner, "classifier");
    graph.output(logits, EncoderGraph.LOGITS, ElementType.FLOAT, batch, spec.head().outputs());
  }

  /** Returns the kernels of each direction with ONNX's gates, (directions, 4 * H, in). */
  private LazyTensor kernels(String kind, Direction... directions) {
    List<LazyTensor> parts =
        Stream.of(directions).map(direction -> gates(weight(direction, kind))).toList();
    Shape shape = parts.get(0).shape();
    return Weights.joined(new Shape(directions.length, shape.get(0), shape.get(1)), parts);
  }

  /** Returns the biases of inputs and then of states of each direction, (directions, 8 * H). */
  private LazyTensor biases(Direction... directions) {
    List<LazyTensor> parts =
        Stream.of(directions)
            .flatMap(
                direction ->
                    Stream.of("bias_ih", "bias_hh").map(kind -> gates(weight(direction, kind))))
            .toList();
    return Weights.joined(new Shape(directions.length, 8L * spec.units().hiddenSize()), parts);
  }

  private LazyTensor weight(Direction direction, String kind) {
    return Weights.of(weights, direction.parameter(kind));
  }

  private static LazyTensor gates(LazyTensor tensor) {
    return tensor.changed(
        tensor.shape(),
        values -> {
          int size = values.length / GATES.length;
          float[] ordered = new float[values.length];
          for (int gate = 0; gate < GATES.length; gate++) {
            System.arraycopy(values, GATES[gate] * size, ordered, gate * size, size);
          }
          return ordered;
        });
  }

  private String transposed(String input, long... order) {
    return graph.node(MODULE, "Transpose", List.of(Attribute.numbers("perm", order)), input);
  }

  private String reshaped(String input, long... shape) {
    return graph.node(MODULE, "Reshape", input, graph.list(shape));
  }

  private String slice(String input, long axis, long from, long to) {
    return graph.node(MODULE, "Slice", input, graph.list(from), graph.list(to), graph.list(axis));
  }

  private String unsqueezed(String input) {
    return graph.node(MODULE, "Unsqueeze", List.of(Attribute.numbers("axes", 1)), input);
  }
}

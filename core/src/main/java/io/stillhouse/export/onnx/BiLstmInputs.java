package io.stillhouse.export.onnx;

import static io.stillhouse.export.onnx.EncoderInputs.BATCH;
import static io.stillhouse.export.onnx.EncoderInputs.IDS;
import static io.stillhouse.export.onnx.EncoderInputs.LENGTH;
import static io.stillhouse.export.onnx.EncoderInputs.MASK;
import static io.stillhouse.export.onnx.EncoderInputs.TYPES;

import io.stillhouse.spec.BiLstmSpec.Texts;
import java.util.List;

/**
 * One of the texts that a BiLSTM reads.
 *
 * @param ids token ids from the first token on, (B, L)
 * @param lengths number of tokens of each row, (B), int64; "" if all L tokens are read
 */
record BiLstmInputs(String ids, String lengths) {
  private static final String SECOND_IDS = "second_input_ids";
  private static final String MODULE = "texts";

  /**
   * Declares the inputs of padded rows: token ids and mask, and for pairs token types, which are 0
   * in the first text and 1 in the second. The second text follows the first. The output of a row
   * without a second text is not defined.
   */
  static List<BiLstmInputs> of(Graph graph, Texts texts) {
    String idsBL = graph.input(IDS, ElementType.INT64, BATCH, LENGTH);
    String maskBL = graph.input(MASK, ElementType.INT64, BATCH, LENGTH);
    String allB = sum(graph, maskBL);
    if (texts == Texts.SINGLE) {
      return List.of(new BiLstmInputs(idsBL, allB));
    }
    String typesBL = graph.input(TYPES, ElementType.INT64, BATCH, LENGTH);
    String secondB = sum(graph, graph.node(MODULE, "Mul", maskBL, typesBL));
    String firstB = graph.node(MODULE, "Sub", allB, secondB);
    return List.of(
        new BiLstmInputs(idsBL, firstB), new BiLstmInputs(shifted(graph, idsBL, firstB), secondB));
  }

  /** Declares the inputs of one row without padding: the token ids of each text. */
  static List<BiLstmInputs> ofOneRow(Graph graph, Texts texts) {
    BiLstmInputs first = new BiLstmInputs(graph.input(IDS, ElementType.INT64, 1, LENGTH), "");
    return texts == Texts.SINGLE
        ? List.of(first)
        : List.of(
            first,
            new BiLstmInputs(
                graph.input(SECOND_IDS, ElementType.INT64, 1, "second_" + LENGTH), ""));
  }

  /** Moves the tokens of each row to the left. */
  private static String shifted(Graph graph, String idsBL, String byB) {
    String shape = graph.node(MODULE, "Shape", idsBL);
    String length = graph.node(MODULE, "Gather", shape, graph.scalar(1L));
    String positionsL = positions(graph, idsBL);
    String byB1 = graph.node(MODULE, "Unsqueeze", List.of(Attribute.numbers("axes", 1)), byB);
    String fromBL = graph.node(MODULE, "Add", positionsL, byB1);
    String last = graph.node(MODULE, "Sub", length, graph.scalar(1L));
    String insideBL = graph.node(MODULE, "Min", fromBL, last);
    return graph.node(
        MODULE, "GatherElements", List.of(Attribute.number("axis", 1)), idsBL, insideBL);
  }

  /** Returns 0 to L - 1. */
  static String positions(Graph graph, String idsBL) {
    String shape = graph.node(MODULE, "Shape", idsBL);
    String length = graph.node(MODULE, "Gather", shape, graph.scalar(1L));
    return graph.node(MODULE, "Range", graph.scalar(0L), length, graph.scalar(1L));
  }

  private static String sum(Graph graph, String numbersBL) {
    return graph.node(
        MODULE,
        "ReduceSum",
        List.of(Attribute.numbers("axes", 1), Attribute.number("keepdims", 0)),
        numbersBL);
  }
}

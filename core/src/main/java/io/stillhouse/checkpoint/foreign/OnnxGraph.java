package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.UnknownFieldSet;
import com.google.protobuf.UnsafeByteOperations;
import io.stillhouse.error.Errors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The nodes and constants of an ONNX file, parsed from a memory mapping without generated classes.
 * Field numbers are those of onnx/onnx.proto.
 *
 * @param initializers weights by name
 * @param constants the values of Constant nodes, by the name of the node's output
 */
record OnnxGraph(
    List<Node> nodes, Map<String, OnnxTensor> initializers, Map<String, OnnxTensor> constants) {
  /** A node of the graph. Its name contains the path of the module from which it was traced. */
  record Node(
      String name,
      String operator,
      List<String> inputs,
      List<String> outputs,
      List<UnknownFieldSet> attributes) {
    /** Returns a string attribute, or "" if there is none. */
    String text(String attribute) {
      for (UnknownFieldSet candidate : attributes) {
        if (string(candidate, 1).equals(attribute)) {
          return string(candidate, 4);
        }
      }
      return "";
    }

    /** Returns a float attribute, converted through its shortest decimal representation. */
    double number(String attribute, float orElse) {
      for (UnknownFieldSet candidate : attributes) {
        if (string(candidate, 1).equals(attribute)
            && !candidate.getField(2).getFixed32List().isEmpty()) {
          float value = Float.intBitsToFloat(candidate.getField(2).getFixed32List().get(0));
          return Double.parseDouble(Float.toString(value));
        }
      }
      return Double.parseDouble(Float.toString(orElse));
    }
  }

  static OnnxGraph read(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (channel.size() > Integer.MAX_VALUE) {
        throw OnnxTensor.damaged(file, format("it has %,d bytes", channel.size()));
      }
      ByteBuffer mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
      UnknownFieldSet model = parse(UnsafeByteOperations.unsafeWrap(mapped));
      List<ByteString> graphs = model.getField(7).getLengthDelimitedList();
      if (graphs.isEmpty()) {
        throw Errors.invalid(format("'%s' has no ONNX graph", file), "export it again");
      }
      return of(file, parse(graphs.get(0)));
    }
  }

  private static OnnxGraph of(Path file, UnknownFieldSet graph) throws IOException {
    List<Node> nodes = new ArrayList<>();
    Map<String, OnnxTensor> constants = new LinkedHashMap<>();
    for (ByteString bytes : graph.getField(1).getLengthDelimitedList()) {
      UnknownFieldSet message = parse(bytes);
      List<UnknownFieldSet> attributes = new ArrayList<>();
      for (ByteString attribute : message.getField(5).getLengthDelimitedList()) {
        attributes.add(parse(attribute));
      }
      Node node =
          new Node(
              string(message, 3),
              string(message, 4),
              strings(message, 1),
              strings(message, 2),
              attributes);
      nodes.add(node);
      if (node.operator().equals("Constant") && !node.outputs().isEmpty()) {
        for (UnknownFieldSet attribute : attributes) {
          if (!attribute.getField(5).getLengthDelimitedList().isEmpty()) {
            constants.put(
                node.outputs().get(0),
                OnnxTensor.of(file, parse(attribute.getField(5).getLengthDelimitedList().get(0))));
          }
        }
      }
    }
    Map<String, OnnxTensor> initializers = new LinkedHashMap<>();
    for (ByteString bytes : graph.getField(5).getLengthDelimitedList()) {
      UnknownFieldSet message = parse(bytes);
      initializers.put(string(message, 8), OnnxTensor.of(file, message));
    }
    return new OnnxGraph(nodes, initializers, constants);
  }

  /** Parses a message without copying the bytes of weights. */
  static UnknownFieldSet parse(ByteString bytes) throws IOException {
    CodedInputStream in = bytes.newCodedInput();
    in.enableAliasing(true);
    in.setSizeLimit(Integer.MAX_VALUE);
    return UnknownFieldSet.parseFrom(in);
  }

  static String string(UnknownFieldSet message, int field) {
    List<String> strings = strings(message, field);
    return strings.isEmpty() ? "" : strings.get(0);
  }

  private static List<String> strings(UnknownFieldSet message, int field) {
    return message.getField(field).getLengthDelimitedList().stream()
        .map(ByteString::toStringUtf8)
        .toList();
  }
}

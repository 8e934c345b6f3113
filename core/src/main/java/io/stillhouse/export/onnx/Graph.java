package io.stillhouse.export.onnx;

import static io.stillhouse.error.Text.format;

import com.google.protobuf.ByteString;
import io.stillhouse.checkpoint.LazyTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An ONNX graph under construction. Nodes are named by the module that they belong to, as PyTorch's
 * exporter names them; a tensor is referred to by its name.
 */
final class Graph {
  private final List<Node> nodes = new ArrayList<>();
  private final Map<String, Initializer> initializers = new LinkedHashMap<>();
  private final List<ByteString> inputs = new ArrayList<>();
  private final List<ByteString> outputs = new ArrayList<>();
  private final Map<String, Integer> uses = new HashMap<>();

  private record Node(
      String name,
      String operator,
      List<Attribute> attributes,
      List<String> operands,
      List<String> results) {

    Node renamed(String from, String to) {
      return new Node(
          name, operator, attributes, renamed(operands, from, to), renamed(results, from, to));
    }

    private static List<String> renamed(List<String> names, String from, String to) {
      return names.stream().map(name -> name.equals(from) ? to : name).toList();
    }

    ByteString message() {
      return Message.of(
          out -> {
            for (String operand : operands) {
              out.writeString(1, operand);
            }
            for (String result : results) {
              out.writeString(2, result);
            }
            out.writeString(3, name);
            out.writeString(4, operator);
            for (Attribute attribute : attributes) {
              out.writeBytes(5, attribute.message());
            }
          });
    }
  }

  /**
   * Declares an input.
   *
   * @param axes a number, or the name of an axis whose length varies, for each axis
   */
  String input(String name, ElementType type, Object... axes) {
    inputs.add(valueInfo(name, type, axes));
    return name;
  }

  /** Renames a node's result and declares it as an output. Axes are those of an input. */
  void output(String result, String name, ElementType type, Object... axes) {
    nodes.replaceAll(node -> node.renamed(result, name));
    outputs.add(valueInfo(name, type, axes));
  }

  /** Adds a node with one output and without attributes. */
  String node(String module, String operator, String... operands) {
    return node(module, operator, List.of(), operands);
  }

  /** Adds a node with one output, whose name is returned. */
  String node(String module, String operator, List<Attribute> attributes, String... operands) {
    return nodes(module, operator, 1, attributes, operands).get(0);
  }

  /** Adds a node with several outputs, whose names are returned. An absent operand is "". */
  List<String> nodes(
      String module, String operator, int count, List<Attribute> attributes, String... operands) {
    String path = "/" + module.replace(".", "/") + (module.isEmpty() ? "" : "/") + operator;
    int use = uses.merge(path, 1, Integer::sum);
    String name = use == 1 ? path : path + "_" + (use - 1);
    List<String> results = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      results.add(format("%s_output_%d", name, i));
    }
    nodes.add(new Node(name, operator, attributes, List.of(operands), results));
    return results;
  }

  /** Adds a float32 tensor, unless a tensor of this name exists. */
  String weight(String name, LazyTensor tensor) {
    return add(Initializer.floats(name, tensor));
  }

  /** Adds an initializer, unless one of this name exists, and returns its name. */
  String add(Initializer initializer) {
    initializers.putIfAbsent(initializer.name(), initializer);
    return initializer.name();
  }

  /** Returns the name of a scalar; equal values share one. */
  String scalar(float value) {
    return add(Initializer.scalar("float_" + value, value));
  }

  String scalar(long value) {
    return add(Initializer.scalar("integer_" + value, value));
  }

  /** Returns the name of a list of integers; equal lists share one. */
  String list(long... values) {
    String joined = Arrays.toString(values).replaceAll("[^0-9-]+", "_");
    return add(Initializer.list("integers" + joined, values));
  }

  List<ByteString> nodes() {
    return nodes.stream().map(Node::message).toList();
  }

  Collection<Initializer> initializers() {
    return initializers.values();
  }

  List<ByteString> inputs() {
    return inputs;
  }

  List<ByteString> outputs() {
    return outputs;
  }

  private static ByteString valueInfo(String name, ElementType type, Object... axes) {
    ByteString shape =
        Message.of(
            out -> {
              for (Object axis : axes) {
                out.writeBytes(1, axis(axis));
              }
            });
    ByteString tensor =
        Message.of(
            out -> {
              out.writeInt32(1, type.number());
              out.writeBytes(2, shape);
            });
    return Message.of(
        out -> {
          out.writeString(1, name);
          out.writeBytes(2, Message.of(typeOut -> typeOut.writeBytes(1, tensor)));
        });
  }

  private static ByteString axis(Object axis) {
    return Message.of(
        out -> {
          if (axis instanceof Number length) {
            out.writeInt64(1, length.longValue());
          } else {
            out.writeString(2, axis.toString());
          }
        });
  }
}

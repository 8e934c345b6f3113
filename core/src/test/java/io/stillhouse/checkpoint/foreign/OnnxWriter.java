package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.checkpoint.foreign.BundleWriter.delimited;
import static io.stillhouse.checkpoint.foreign.BundleWriter.varint;

import ai.djl.ndarray.types.Shape;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.UnknownFieldSet;
import com.google.protobuf.UnknownFieldSet.Field;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.spec.EncoderSpec;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Writes the parts of PyTorch's ONNX export of a BERT that contain its parameters and sizes. */
final class OnnxWriter {
  private static final int FLOAT = 1;
  private static final int INT64 = 7;

  private OnnxWriter() {}

  /** Where the values of tensors are. */
  enum Values {
    RAW,
    LISTS,
    EXTERNAL
  }

  static void write(Path file, EncoderSpec spec, Map<String, LazyTensor> weights, String activation)
      throws IOException {
    Files.write(file, model(spec, weights, activation));
  }

  /**
   * Writes the values of weights as lists, or to a file beside the model.
   *
   * @param location the name of that file in the model
   */
  static void write(
      Path file, EncoderSpec spec, Map<String, LazyTensor> weights, Values values, String location)
      throws IOException {
    UnknownFieldSet model = UnknownFieldSet.parseFrom(model(spec, weights, "Erf"));
    UnknownFieldSet graph =
        UnknownFieldSet.parseFrom(model.getField(7).getLengthDelimitedList().get(0));
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    UnknownFieldSet.Builder changed = graph.toBuilder().clearField(5).clearField(1);
    Field.Builder tensors = Field.newBuilder();
    for (ByteString tensor : graph.getField(5).getLengthDelimitedList()) {
      tensors.addLengthDelimited(
          moved(UnknownFieldSet.parseFrom(tensor), values, location, data).toByteString());
    }
    Field.Builder nodes = Field.newBuilder();
    for (ByteString node : graph.getField(1).getLengthDelimitedList()) {
      nodes.addLengthDelimited(
          (values == Values.LISTS
                  ? listed(UnknownFieldSet.parseFrom(node))
                  : UnknownFieldSet.parseFrom(node))
              .toByteString());
    }
    changed.addField(5, tensors.build()).addField(1, nodes.build());
    Files.write(
        file,
        model.toBuilder()
            .clearField(7)
            .addField(7, delimited(changed.build().toByteString()))
            .build()
            .toByteArray());
    if (values == Values.EXTERNAL) {
      Files.write(file.resolveSibling(location).normalize(), data.toByteArray());
    }
  }

  private static UnknownFieldSet moved(
      UnknownFieldSet tensor, Values values, String location, ByteArrayOutputStream data) {
    ByteString raw = tensor.getField(9).getLengthDelimitedList().get(0);
    UnknownFieldSet.Builder moved = tensor.toBuilder().clearField(9);
    if (values == Values.LISTS) {
      return moved.addField(4, delimited(raw)).build();
    }
    Field.Builder place = Field.newBuilder();
    for (String[] pair :
        new String[][] {
          {"location", location},
          {"offset", Integer.toString(data.size())},
          {"length", Integer.toString(raw.size())}
        }) {
      place.addLengthDelimited(
          UnknownFieldSet.newBuilder()
              .addField(1, text(pair[0]))
              .addField(2, text(pair[1]))
              .build()
              .toByteString());
    }
    data.writeBytes(raw.toByteArray());
    return moved.addField(13, place.build()).addField(14, varint(1)).build();
  }

  /** Replaces the raw int64 values of a constant by a packed list. */
  private static UnknownFieldSet listed(UnknownFieldSet node) throws IOException {
    if (node.getField(5).getLengthDelimitedList().isEmpty()) {
      return node;
    }
    UnknownFieldSet attribute =
        UnknownFieldSet.parseFrom(node.getField(5).getLengthDelimitedList().get(0));
    UnknownFieldSet tensor =
        UnknownFieldSet.parseFrom(attribute.getField(5).getLengthDelimitedList().get(0));
    if (tensor.getField(2).getVarintList().get(0) != INT64) {
      return node;
    }
    ByteBuffer raw = tensor.getField(9).getLengthDelimitedList().get(0).asReadOnlyByteBuffer();
    ByteString.Output packed = ByteString.newOutput();
    CodedOutputStream out = CodedOutputStream.newInstance(packed);
    raw.order(ByteOrder.LITTLE_ENDIAN);
    while (raw.hasRemaining()) {
      out.writeInt64NoTag(raw.getLong());
    }
    out.flush();
    UnknownFieldSet list =
        tensor.toBuilder().clearField(9).addField(7, delimited(packed.toByteString())).build();
    return node.toBuilder()
        .clearField(5)
        .addField(
            5,
            delimited(
                attribute.toBuilder()
                    .clearField(5)
                    .addField(5, delimited(list.toByteString()))
                    .build()
                    .toByteString()))
        .build();
  }

  private static byte[] model(EncoderSpec spec, Map<String, LazyTensor> weights, String activation)
      throws IOException {
    List<ByteString> nodes = new ArrayList<>();
    List<ByteString> initializers = new ArrayList<>();
    nodes.add(constant("eps", FLOAT, TinyModel.bytes(1e-12f), new Shape()));
    nodes.add(node("/embeddings/LayerNorm/Add", "Add", "variance", "eps"));
    for (long size : new long[] {0, 1, spec.heads(), spec.headSize(), spec.hiddenSize()}) {
      ByteBuffer value = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(size).flip();
      nodes.add(
          constant("/encoder/layer.0/attention/self/Constant_" + size, INT64, value, new Shape(1)));
    }
    nodes.add(node("/encoder/layer.0/intermediate/act/" + activation, activation, "x", ""));
    int next = 100;
    for (Map.Entry<String, LazyTensor> weight : weights.entrySet()) {
      String name = weight.getKey().substring("bert.".length());
      if (name.endsWith(".weight") && name.startsWith("encoder.") && !name.contains("LayerNorm")) {
        String anonymous = "onnx::MatMul_" + next++;
        String module = name.substring(0, name.length() - ".weight".length());
        initializers.add(tensor(anonymous, weight.getValue().transposed()));
        nodes.add(
            node(
                "/" + module.replace('.', '/').replaceAll("layer/(\\d)", "layer.$1") + "/MatMul",
                "MatMul",
                "x",
                anonymous));
      } else {
        initializers.add(tensor(name, weight.getValue()));
      }
    }
    UnknownFieldSet.Builder graph = UnknownFieldSet.newBuilder();
    Field.Builder nodeField = Field.newBuilder();
    nodes.forEach(nodeField::addLengthDelimited);
    Field.Builder tensorField = Field.newBuilder();
    initializers.forEach(tensorField::addLengthDelimited);
    graph.addField(1, nodeField.build()).addField(5, tensorField.build());
    UnknownFieldSet model =
        UnknownFieldSet.newBuilder()
            .addField(1, varint(8))
            .addField(7, delimited(graph.build().toByteString()))
            .build();
    return model.toByteArray();
  }

  private static ByteString node(String name, String operator, String... inputs) {
    Field.Builder input = Field.newBuilder();
    for (String one : inputs) {
      input.addLengthDelimited(ByteString.copyFromUtf8(one));
    }
    return UnknownFieldSet.newBuilder()
        .addField(1, input.build())
        .addField(2, text(name + "_output_0"))
        .addField(3, text(name))
        .addField(4, text(operator))
        .build()
        .toByteString();
  }

  private static ByteString constant(String name, int type, ByteBuffer value, Shape shape) {
    UnknownFieldSet attribute =
        UnknownFieldSet.newBuilder()
            .addField(1, text("value"))
            .addField(5, delimited(tensor("", type, value, shape)))
            .build();
    return UnknownFieldSet.newBuilder()
        .addField(2, text(name))
        .addField(3, text(name))
        .addField(4, text("Constant"))
        .addField(5, delimited(attribute.toByteString()))
        .build()
        .toByteString();
  }

  private static ByteString tensor(String name, LazyTensor tensor) throws IOException {
    return tensor(name, FLOAT, tensor.bytes().read(), tensor.shape());
  }

  private static ByteString tensor(String name, int type, ByteBuffer value, Shape shape) {
    Field.Builder dimensions = Field.newBuilder();
    for (long dimension : shape.getShape()) {
      dimensions.addVarint(dimension);
    }
    return UnknownFieldSet.newBuilder()
        .addField(1, dimensions.build())
        .addField(2, varint(type))
        .addField(8, text(name))
        .addField(9, delimited(ByteString.copyFrom(value)))
        .build()
        .toByteString();
  }

  private static Field text(String value) {
    return delimited(ByteString.copyFromUtf8(value));
  }
}

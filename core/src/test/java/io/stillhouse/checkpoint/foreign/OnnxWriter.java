package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.checkpoint.foreign.BundleWriter.delimited;
import static io.stillhouse.checkpoint.foreign.BundleWriter.varint;

import ai.djl.ndarray.types.Shape;
import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import com.google.protobuf.UnknownFieldSet.Field;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.spec.EncoderSpec;
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

  static void write(Path file, EncoderSpec spec, Map<String, LazyTensor> weights, String activation)
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
    Files.write(file, model.toByteArray());
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

package io.stillhouse.checkpoint.foreign;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.export.onnx.OnnxExport;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reads exported ONNX files with the reader of imports. */
class OnnxFileTest {
  @TempDir private Path directory;

  @Test
  void readerFindsWrittenNodesAndWeights() throws IOException {
    EncoderSpec spec = TinyModel.spec(8, 2, Head.NONE);
    ModelDirectory model = ModelDirectory.open(TinyModel.write(directory.resolve("bare"), spec));
    Path file = directory.resolve("model.onnx");

    OnnxExport.write(model, file);

    OnnxGraph graph = OnnxGraph.read(file);
    String query = "bert.encoder.layer.0.attention.self.query";
    OnnxGraph.Node product =
        graph.nodes().stream()
            .filter(node -> node.name().equals("/" + query.replace('.', '/') + "/MatMul"))
            .findFirst()
            .orElseThrow();
    assertThat(product.operator()).isEqualTo("MatMul");
    assertThat(product.inputs()).hasSize(2).last().isEqualTo(query + ".kernel");
    OnnxTensor kernel = graph.initializers().get(query + ".kernel");
    assertThat(TinyModel.floats(kernel.floats()))
        .containsExactly(TinyModel.floats(TinyModel.tensor(query + ".weight", 8, 8).transposed()));
    assertThat(graph.initializers().get("integers_0_0_2_4_").integers())
        .isEqualTo(List.of(0L, 0L, 2L, 4L));
    assertThat(graph.nodes())
        .extracting(OnnxGraph.Node::outputs)
        .last()
        .isEqualTo(List.of("last_hidden_state"));
  }
}

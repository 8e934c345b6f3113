package io.stillhouse.jobs.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.export.int8.WeightBits;
import io.stillhouse.export.onnx.OnnxExport;
import io.stillhouse.export.torchscript.TorchScriptExport;
import io.stillhouse.jobs.BrokenModels;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.spec.Head;
import io.stillhouse.text.Encoded;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Opens files of exports beside the config and tokenizer of a model. */
class LoadedExportsTest {
  /** Two implementations of the same formulas in float32, with outputs near 1. */
  private static final Offset<Float> ROUNDING = within(1e-5f);

  private static final List<String> TEXTS = List.of("the of and to in is was", "he", "not with it");

  @TempDir private Path directory;

  private Path graph;

  @BeforeEach
  void exportsClassifier() throws IOException {
    Tiny.copy(Tiny.CLS, directory);
    graph = directory.resolve("onnx/model.onnx");
    Files.createDirectories(graph.getParent());
    OnnxExport.write(ModelDirectory.open(directory), graph);
  }

  @Test
  void onnxGivesLogitsOfWeights() throws IOException {
    Files.delete(directory.resolve("model.safetensors")); // not needed
    InferenceModel onnx = open(graph);
    InferenceModel weights = open(Tiny.CLS);

    float[][] logits = onnx.logits(rows(onnx));

    float[][] expected = weights.logits(rows(weights));
    for (int row = 0; row < expected.length; row++) {
      assertThat(logits[row]).containsExactly(expected[row], ROUNDING);
    }
  }

  @Test
  void torchScriptGivesLogitsOfWeights() throws IOException {
    TorchScriptExport.write(ModelDirectory.open(directory), directory);
    InferenceModel module = open(directory.resolve(TorchScriptExport.ARCHIVE));
    InferenceModel weights = open(Tiny.CLS);

    float[][] logits = module.logits(rows(module));

    float[][] expected = weights.logits(rows(weights));
    for (int row = 0; row < expected.length; row++) {
      assertThat(logits[row]).containsExactly(expected[row], ROUNDING);
    }
  }

  @Test
  void int8GraphGivesNearlyTheLogitsOfWeights() throws IOException {
    Path int8 = graph.resolveSibling("model_quantized.onnx");
    OnnxExport.writeInt8(ModelDirectory.open(directory), int8, WeightBits.SEVEN, List.of());
    InferenceModel onnx = open(int8);
    InferenceModel weights = open(Tiny.CLS);

    float[][] logits = onnx.logits(rows(onnx));

    float[][] expected = weights.logits(rows(weights));
    for (int row = 0; row < expected.length; row++) {
      // 7-bit weights of random matrices: far above rounding, far below the logits' range of 1.
      assertThat(logits[row]).containsExactly(expected[row], within(0.2f));
    }
  }

  @Test
  void graphOfMaskedLmGivesNoLogitsOfTexts() throws IOException {
    Path model = Tiny.copy(Tiny.MLM, directory.resolve("masked"));
    Path file = model.resolve("model.onnx");
    OnnxExport.write(ModelDirectory.open(model), file);
    InferenceModel onnx = open(file);

    assertThatThrownBy(() -> onnx.logits(rows(onnx)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("is a masked LM, which returns one distribution per token; use '");
  }

  @Test
  void onnxWithoutHeadGivesEmbeddingsOfWeights() throws IOException {
    Path bare = BrokenModels.withHead(Tiny.CLS, Head.NONE, directory.resolve("bare"));
    Path file = bare.resolve("model.onnx");
    OnnxExport.write(ModelDirectory.open(bare), file);
    InferenceModel onnx = open(file);
    InferenceModel weights = open(bare);

    for (Pooling pooling : Pooling.values()) {
      float[][] vectors = onnx.embeddings(rows(onnx), pooling);
      float[][] expected = weights.embeddings(rows(weights), pooling);
      for (int row = 0; row < expected.length; row++) {
        assertThat(vectors[row]).containsExactly(expected[row], ROUNDING);
      }
    }
    assertThatThrownBy(() -> onnx.logits(rows(onnx)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has no task head, so it gives no classes or scores");
  }

  @Test
  void rejectsEmbeddingsOfGraphThatReturnsLogitsOnly() throws IOException {
    InferenceModel onnx = open(graph);

    assertThatThrownBy(() -> onnx.embeddings(rows(onnx), Pooling.MEAN))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("returns logits only, so it gives no embeddings")
        .hasMessageContaining(directory.toString());
  }

  @Test
  void errorNamesOpenedFileAmongEqualOnes(@TempDir Path other) throws IOException {
    Tiny.copy(Tiny.CLS, other);
    Path copy = other.resolve("onnx/model.onnx");
    Files.createDirectories(copy.getParent());
    Files.copy(graph, copy);
    open(graph);
    InferenceModel onnx = open(copy);

    assertThatThrownBy(() -> onnx.embeddings(rows(onnx), Pooling.MEAN))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(other.toString());
  }

  @Test
  void rejectsFileThatIsNotOnnx() throws IOException {
    Files.writeString(graph, "not a graph");

    assertThatThrownBy(() -> open(graph))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("ONNX Runtime cannot read '" + graph + "'");
  }

  @Test
  void rejectsFileThatIsNotTorchScript() throws IOException {
    Path module = Files.writeString(directory.resolve("model.pt"), "not a module");

    assertThatThrownBy(() -> open(module))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("libtorch cannot read '" + module + "'");
  }

  @Test
  void rejectsExportWithoutTokenizer() throws IOException {
    Files.delete(directory.resolve("vocab.txt"));
    Files.deleteIfExists(directory.resolve("tokenizer.json"));

    assertThatThrownBy(() -> open(graph))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(directory.toString())
        .hasMessageContaining("vocab.txt");
  }

  @Test
  void digestCoversGraphAndTokenizer() throws IOException {
    ModelLocation location = ModelLocation.parse(graph.toString());
    String before = LoadedModels.digest(location);
    Files.writeString(directory.resolve("README.md"), "not part of the model");
    assertThat(LoadedModels.digest(location)).isEqualTo(before);

    Files.writeString(directory.resolve("added_tokens.json"), "{}");
    assertThat(LoadedModels.digest(location)).isNotEqualTo(before);
  }

  private static InferenceModel open(Path path) throws IOException {
    return LoadedModels.open(ModelLocation.parse(path.toString()), 1000);
  }

  private static List<Pairing.Input> rows(InferenceModel model) {
    Pairing pairing = model.pairing(40);
    return model.tokenizer().encode(TEXTS).stream().map(Encoded::ids).map(pairing::single).toList();
  }
}

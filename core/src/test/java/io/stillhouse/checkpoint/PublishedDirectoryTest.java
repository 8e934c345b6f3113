package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Directories as other software leaves them: pickles, wrapped names, extra tensors. */
class PublishedDirectoryTest {
  private static final EncoderSpec MASKED_LM = TinyModel.spec(4, 2, Head.MASKED_LM);

  @TempDir Path parent;
  private Path path;

  @BeforeEach
  void name() {
    path = parent.resolve("model");
  }

  @Test
  void readsPyTorchWeights() throws IOException {
    TinyModel.write(path, MASKED_LM);
    PickleWriter.write(path.resolve("pytorch_model.bin"), TinyModel.weights(MASKED_LM));
    Files.delete(path.resolve("model.safetensors"));

    assertSameWeights(HuggingFaceDirectory.open(path));
  }

  @Test
  void readsShardsOfPyTorchWeights() throws IOException {
    TinyModel.write(path, MASKED_LM);
    Map<String, LazyTensor> first = new LinkedHashMap<>(TinyModel.weights(MASKED_LM));
    LazyTensor words = first.remove(EncoderSpec.WORDS);
    PickleWriter.write(path.resolve("pytorch_model-00001-of-00002.bin"), first);
    PickleWriter.write(
        path.resolve("pytorch_model-00002-of-00002.bin"), Map.of(EncoderSpec.WORDS, words));
    Files.delete(path.resolve("model.safetensors"));
    Files.writeString(
        path.resolve("pytorch_model.bin.index.json"),
        format(
                "{\"weight_map\": {\"%s\": \"pytorch_model-00002-of-00002.bin\", \"x\":",
                EncoderSpec.WORDS)
            + " \"pytorch_model-00001-of-00002.bin\"}}");

    HuggingFaceDirectory read = HuggingFaceDirectory.open(path);

    assertSameWeights(read);
    assertThat(ModelFiles.all(path))
        .extracting(file -> file.getFileName().toString())
        .containsExactly(
            "config.json",
            "vocab.txt",
            "pytorch_model.bin.index.json",
            "pytorch_model-00002-of-00002.bin",
            "pytorch_model-00001-of-00002.bin");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"../a.safetensors", "/etc/a.safetensors", "sub/a.safetensors", "..", "", "a\\\\b"})
  void rejectsShardsOutsideOfItsDirectory(String name) throws IOException {
    TinyModel.write(path, MASKED_LM);
    Files.move(path.resolve("model.safetensors"), parent.resolve("a.safetensors"));
    Path index =
        Files.writeString(
            path.resolve("model.safetensors.index.json"),
            format("{\"weight_map\": {\"x\": \"%s\"}}", name));

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' names the file '%s', but only plain names of files in the same directory are"
                + " allowed; move the file there and correct the name, or do not use this model",
            index, name.replace("\\\\", "\\"));
  }

  @Test
  void rejectsNameThatFileCannotHave() throws IOException {
    TinyModel.write(path, MASKED_LM);
    Files.delete(path.resolve("model.safetensors"));
    Files.writeString(
        path.resolve("model.safetensors.index.json"), "{\"weight_map\": {\"x\": \"\\ud800\"}}");

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("which has a character that file names cannot have")
        .hasMessageContaining("set LC_ALL=C.UTF-8, or rename the file");
  }

  @Test
  void leavesOutTensorsThatTransformersLeavesOut() throws IOException {
    Map<String, LazyTensor> weights = new LinkedHashMap<>(TinyModel.weights(MASKED_LM));
    for (int layer = 0; layer < 5; layer++) {
      weights.put(format("fit_denses.%d.weight", layer), TinyModel.tensor("fit", 7, 4));
    }
    TinyModel.write(path, MASKED_LM);
    SafeTensors.writeLazily(path.resolve("model.safetensors"), weights, Map.of());

    HuggingFaceDirectory read = HuggingFaceDirectory.open(path);

    assertThat(read.notes())
        .containsExactly(
            "left out 5 tensors that are not parameters of this model (masked-LM model, 2 layers):"
                + " fit_denses.0.weight, fit_denses.1.weight, fit_denses.2.weight, ...");
    assertSameWeights(read);
  }

  @Test
  void removesPrefixesOfWrappers() throws IOException {
    Map<String, LazyTensor> weights = new LinkedHashMap<>();
    TinyModel.weights(MASKED_LM)
        .forEach((name, tensor) -> weights.put("_orig_mod.module." + name, tensor));
    TinyModel.write(path, MASKED_LM);
    SafeTensors.writeLazily(path.resolve("model.safetensors"), weights, Map.of());

    HuggingFaceDirectory read = HuggingFaceDirectory.open(path);

    assertThat(read.notes())
        .containsExactly(
            format(
                "removed the prefix '_orig_mod.module.' from the names of %d tensors",
                weights.size()));
    assertSameWeights(read);
  }

  @ParameterizedTest
  @EnumSource(Architecture.class)
  void readsConfigWithoutModelType(Architecture architecture) throws IOException {
    EncoderSpec spec = TinyModel.spec(architecture, Head.MASKED_LM);
    TinyModel.write(path, spec);
    String type = Dialect.of(architecture).modelType();
    TinyModel.edit(path, format("\"model_type\": \"%s\",", type), "");

    HuggingFaceDirectory read = HuggingFaceDirectory.open(path);

    assertThat(read.spec()).isEqualTo(spec);
    assertThat(read.notes())
        .containsExactly(format("config.json has no model_type; the model is read as '%s'", type));

    String className = Dialect.of(architecture).className("ForMaskedLM");
    TinyModel.edit(path, format("\"architectures\": [\n    \"%s\"\n  ],", className), "");
    assertThat(HuggingFaceDirectory.open(path).spec()).isEqualTo(spec);
  }

  @ParameterizedTest
  @ValueSource(strings = {"null", "[]"})
  void addsClassAndModelTypeToConfigWithoutValuesForThem(String architectures) throws IOException {
    TinyModel.write(path, MASKED_LM);
    TinyModel.edit(path, "\"model_type\": \"bert\"", "\"model_type\": null");
    TinyModel.edit(
        path,
        "\"architectures\": [\n    \"BertForMaskedLM\"\n  ]",
        format("\"architectures\": %s", architectures));
    Path converted = parent.resolve("converted");

    HuggingFaceDirectory.open(path).convertTo(converted);

    ConfigFile config = ConfigFile.read(converted.resolve("config.json"));
    assertThat(config.first("architectures")).isEqualTo("BertForMaskedLM");
    assertThat(config.text("model_type", "")).isEqualTo("bert");
    assertThat(HuggingFaceDirectory.open(converted).notes()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"BertForMaskedLM\"", "7", "{}"})
  void rejectsArchitecturesThatAreNoList(String architectures) throws IOException {
    TinyModel.write(path, MASKED_LM);
    TinyModel.edit(path, "[\n    \"BertForMaskedLM\"\n  ]", architectures);

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s': architectures must be a list, but is '%s'; correct it",
            path.resolve("config.json"), architectures);
  }

  @Test
  void keepsMessagesAboutManyTensorsShort() throws IOException {
    TinyModel.write(path, TinyModel.spec(8, 2, Head.MASKED_LM));
    TinyModel.edit(path, "\"hidden_size\": 8", "\"hidden_size\": 4");

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("; and ")
        .hasMessageEndingWith(" more; use the config and the weights of the same model")
        .satisfies(error -> assertThat(error.getMessage().length()).isLessThan(600));
  }

  private static void assertSameWeights(HuggingFaceDirectory read) {
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      Map<String, NDArray> weights = read.weights(manager);
      assertThat(weights.keySet()).containsExactlyElementsOf(MASKED_LM.parameters().keySet());
      for (Map.Entry<String, LazyTensor> weight : TinyModel.weights(MASKED_LM).entrySet()) {
        assertThat(weights.get(weight.getKey()).toFloatArray())
            .as(weight.getKey())
            .containsExactly(TinyModel.floats(weight.getValue()));
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}

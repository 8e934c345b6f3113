package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonObject;
import io.stillhouse.Golden;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Activation;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.text.TextFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Directories of DistilBERTs and ALBERTs in Hugging Face's format. */
class ArchitecturesDirectoryTest {
  @TempDir private Path parent;
  private Path path;

  @BeforeEach
  void name() {
    path = parent.resolve("model");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "distilbert-tiny-mlm-v1",
        "distilbert-tiny-cls-v1",
        "albert-tiny-mlm-v1",
        "albert-tiny-cls-v1"
      })
  void tensorNamesMatchHuggingFace(String name) throws IOException {
    Path theirs = Golden.DIRECTORY.resolve(name);
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      HuggingFaceDirectory model = HuggingFaceDirectory.open(theirs);
      HuggingFaceDirectory.write(path, model.spec(), model.weights(manager), theirs);

      SafeTensors ours = SafeTensors.open(path.resolve("model.safetensors"));
      SafeTensors original = SafeTensors.open(theirs.resolve("model.safetensors"));
      assertThat(ours.names()).containsExactlyInAnyOrderElementsOf(original.names());
      for (String tensor : ours.names()) {
        assertThat(TinyModel.floats(ours, tensor)).isEqualTo(TinyModel.floats(original, tensor));
      }
    }
    JsonObject config = TextFile.json(path.resolve("config.json"));
    TextFile.json(theirs.resolve("config.json"))
        .entrySet()
        .forEach(
            entry -> {
              if (config.has(entry.getKey()) && !entry.getKey().equals("initializer_range")) {
                assertThat(config.get(entry.getKey()))
                    .as(entry.getKey())
                    .isEqualTo(entry.getValue());
              }
            });
    assertThat(config.keySet())
        .contains(name.startsWith("albert") ? "embedding_size" : "hidden_dim", "architectures");
  }

  @Test
  void bareDistilBertAndAlbertUseTheirModelsTensorNames() throws IOException {
    TinyModel.write(path, TinyModel.spec(Architecture.DISTILBERT, Head.NONE));
    assertThat(SafeTensors.open(path.resolve("model.safetensors")).names())
        .contains("embeddings.word_embeddings.weight", "transformer.layer.1.ffn.lin2.bias")
        .noneMatch(name -> name.startsWith("distilbert."));

    path = parent.resolve("albert");
    TinyModel.write(path, TinyModel.spec(Architecture.ALBERT, Head.NONE));
    assertThat(SafeTensors.open(path.resolve("model.safetensors")).names())
        .contains(
            "encoder.embedding_hidden_mapping_in.weight",
            "encoder.albert_layer_groups.0.albert_layers.0.ffn.bias")
        .noneMatch(name -> name.contains("albert_layers.1"));
  }

  @Test
  void reportsMissingTensorsUnderTheirNamesInFile() throws IOException {
    EncoderSpec spec = TinyModel.spec(Architecture.DISTILBERT, Head.MASKED_LM);
    Map<String, LazyTensor> weights = TinyModel.weights(spec);
    TinyModel.write(path, spec);
    Map<String, LazyTensor> some = new LinkedHashMap<>();
    SafeTensors file = SafeTensors.open(path.resolve("model.safetensors"));
    for (String name : file.names()) {
      if (!name.startsWith("vocab_projector")) {
        some.put(name, weights.get(TensorNames.of(Architecture.DISTILBERT).canonical(name)));
      }
    }
    some.put("vocab_projector.more", TinyModel.tensor("more", 1));
    SafeTensors.writeLazily(path.resolve("model.safetensors"), some, Map.of());

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("tensor 'vocab_projector.bias' [9] is missing")
        .hasMessageContaining(
            "tensor 'vocab_projector.more' in model.safetensors is not a parameter of this model"
                + " (masked-LM model, 2 layers)");
  }

  @Test
  void readsActivationOfReleasedAlberts() throws IOException {
    TinyModel.write(path, TinyModel.spec(Architecture.ALBERT, Head.MASKED_LM));
    TinyModel.edit(path, "\"hidden_act\": \"gelu\",", ""); // its default is not BERT's

    assertThat(HuggingFaceDirectory.open(path).spec().blocks().activation())
        .isEqualTo(Activation.GELU_NEW);
  }

  @Test
  void rejectsAlbertWithSeveralGroupsOfBlocks() throws IOException {
    TinyModel.write(path, TinyModel.spec(Architecture.ALBERT, Head.MASKED_LM));
    TinyModel.edit(path, "\"num_hidden_groups\": 1", "\"num_hidden_groups\": 2");

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s': num_hidden_groups is '2', but only '1' is supported; use a BERT encoder as"
                    + " teacher",
                path.resolve("config.json")));
  }

  @Test
  void rejectsUnsupportedDistilBert() throws IOException {
    TinyModel.write(path, TinyModel.spec(Architecture.DISTILBERT, Head.MASKED_LM));
    TinyModel.edit(path, "\"activation\": \"gelu\"", "\"activation\": \"silu\"");
    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s': activation is 'silu', but only gelu, gelu_new, gelu_pytorch_tanh, relu are"
                    + " supported; use a BERT encoder as teacher",
                path.resolve("config.json")));

    TinyModel.edit(path, "\"activation\": \"silu\"", "\"activation\": \"gelu\"");
    TinyModel.edit(path, "DistilBertForMaskedLM", "DistilBertForQuestionAnswering");
    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s': architecture DistilBertForQuestionAnswering is not supported; use"
                    + " DistilBertModel, DistilBertForMaskedLM or"
                    + " DistilBertForSequenceClassification",
                path.resolve("config.json")));
  }

  @Test
  void setsTokenizerClassInCopiedConfig() throws IOException {
    Path bert = Files.createDirectory(parent.resolve("bert"));
    Files.write(bert.resolve("vocab.txt"), TinyModel.VOCAB);
    assertThat(tokenizerConfig(Architecture.ALBERT, bert))
        .isEqualTo(tokenizerConfig(Architecture.ALBERT, parent.resolve("albert")))
        .containsEntry("tokenizer_class", "BertTokenizer")
        .containsEntry("do_lower_case", "true");
    assertThat(tokenizerConfig(Architecture.DISTILBERT, parent.resolve("albert")))
        .containsEntry("tokenizer_class", "DistilBertTokenizer")
        .containsEntry("model_input_names", "[\"input_ids\",\"attention_mask\"]")
        .containsEntry("do_lower_case", "true");
    assertThat(tokenizerConfig(Architecture.BERT, parent.resolve("distilbert")))
        .containsEntry("tokenizer_class", "BertTokenizer")
        .doesNotContainKey("model_input_names");
  }

  /** Copies the tokenizer of a directory to a model, and returns its config. */
  private Map<String, String> tokenizerConfig(Architecture architecture, Path from)
      throws IOException {
    Path to = parent.resolve(architecture.name().toLowerCase(Locale.ROOT));
    EncoderSpec spec = TinyModel.spec(architecture, Head.NONE);
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      Map<String, NDArray> weights = new LinkedHashMap<>();
      for (Map.Entry<String, long[]> shape : spec.parameters().entrySet()) {
        weights.put(shape.getKey(), manager.zeros(new Shape(shape.getValue())));
      }
      HuggingFaceDirectory.write(to, spec, weights, from);
    }
    Map<String, String> said = new LinkedHashMap<>();
    TextFile.json(to.resolve("tokenizer_config.json"))
        .entrySet()
        .forEach(
            entry ->
                said.put(
                    entry.getKey(),
                    entry.getValue().isJsonArray()
                        ? entry.getValue().toString()
                        : entry.getValue().getAsString()));
    return said;
  }
}

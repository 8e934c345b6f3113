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
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class HuggingFaceDirectoryTest {
  private static final EncoderSpec MASKED_LM = TinyModel.spec(4, 2, Head.MASKED_LM);

  @TempDir Path parent;
  private Path path;

  @BeforeEach
  void name() {
    path = parent.resolve("model");
  }

  static List<Head> heads() {
    return List.of(
        Head.NONE,
        Head.MASKED_LM,
        Head.REGRESSION,
        new Head(Task.CLASSIFICATION, List.of("negative", "positive", "neither")));
  }

  static List<Arguments> models() {
    return Stream.of(Architecture.values())
        .flatMap(architecture -> heads().stream().map(head -> Arguments.of(architecture, head)))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("models")
  void readsBackWhatItWrote(Architecture architecture, Head head) throws IOException {
    EncoderSpec spec = TinyModel.spec(architecture, head);
    Path tokenizer = Files.createDirectory(parent.resolve("tokenizer"));
    Files.write(tokenizer.resolve("vocab.txt"), TinyModel.VOCAB);
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      Map<String, NDArray> weights = new LinkedHashMap<>();
      for (Map.Entry<String, LazyTensor> tensor : TinyModel.weights(spec).entrySet()) {
        weights.put(
            tensor.getKey(),
            manager.create(TinyModel.floats(tensor.getValue()), tensor.getValue().shape()));
      }

      HuggingFaceDirectory.write(path, spec, weights, tokenizer);

      HuggingFaceDirectory read = HuggingFaceDirectory.open(path);
      assertThat(read.spec()).isEqualTo(spec);
      Map<String, NDArray> again = read.weights(manager);
      assertThat(again.keySet()).containsExactlyElementsOf(spec.parameters().keySet());
      weights.forEach((name, weight) -> assertThat(again.get(name).contentEquals(weight)).isTrue());
      assertThat(Files.readAllLines(path.resolve("vocab.txt"))).isEqualTo(TinyModel.VOCAB);
    }
  }

  @Test
  void bareEncoderUsesBertModelTensorNames() throws IOException {
    TinyModel.write(path, TinyModel.spec(4, 2, Head.NONE));

    assertThat(SafeTensors.open(path.resolve("model.safetensors")).names())
        .contains("embeddings.word_embeddings.weight")
        .noneMatch(name -> name.startsWith("bert."));
    assertThat(HuggingFaceDirectory.open(path).has(EncoderSpec.WORDS)).isTrue();
  }

  @Test
  void keepsUnusedPooler() throws IOException {
    Map<String, LazyTensor> weights = TinyModel.weights(MASKED_LM);
    weights.put("bert.pooler.dense.weight", TinyModel.tensor("pooler", 4, 4));
    weights.put("bert.pooler.dense.bias", TinyModel.tensor("pooler", 4));
    TinyModel.write(path, MASKED_LM, weights);

    HuggingFaceDirectory read = HuggingFaceDirectory.open(path);

    assertThat(read.has("bert.pooler.dense.weight")).isTrue();
    assertThat(read.has("classifier.weight")).isFalse();
  }

  @Test
  void acceptsNamesOfOldCheckpoints() throws IOException {
    Map<String, LazyTensor> old = new LinkedHashMap<>();
    TinyModel.weights(MASKED_LM)
        .forEach(
            (name, tensor) ->
                old.put(
                    name.replace("LayerNorm.weight", "LayerNorm.gamma")
                        .replace("LayerNorm.bias", "LayerNorm.beta")
                        .replace("cls.predictions.bias", "cls.predictions.decoder.bias"),
                    tensor));
    old.put("cls.seq_relationship.weight", TinyModel.tensor("nsp", 2, 4));
    old.put("cls.predictions.decoder.weight", TinyModel.weights(MASKED_LM).get(EncoderSpec.WORDS));
    TinyModel.write(path, MASKED_LM);
    SafeTensors.writeLazily(path.resolve("model.safetensors"), old, Map.of());

    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      assertThat(HuggingFaceDirectory.open(path).weights(manager).keySet())
          .containsExactlyElementsOf(MASKED_LM.parameters().keySet());
    }
  }

  @Test
  void readsShardedWeights() throws IOException {
    TinyModel.write(path, MASKED_LM);
    Map<String, LazyTensor> first = new LinkedHashMap<>(TinyModel.weights(MASKED_LM));
    LazyTensor words = first.remove(EncoderSpec.WORDS);
    SafeTensors.writeLazily(path.resolve("a.safetensors"), first, Map.of());
    SafeTensors.writeLazily(
        path.resolve("b.safetensors"), Map.of(EncoderSpec.WORDS, words), Map.of());
    Files.delete(path.resolve("model.safetensors"));
    Files.writeString(
        path.resolve("model.safetensors.index.json"),
        format(
            "{\"weight_map\": {\"%s\": \"b.safetensors\", \"cls.predictions.bias\":"
                + " \"a.safetensors\"}}",
            EncoderSpec.WORDS));

    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      assertThat(
              HuggingFaceDirectory.open(path)
                  .weights(manager)
                  .get(EncoderSpec.WORDS)
                  .toFloatArray())
          .containsExactly(TinyModel.floats(words));
    }
  }

  @Test
  void reportsAllMissingMisshapenAndUnknownTensors() throws IOException {
    Map<String, LazyTensor> weights = TinyModel.weights(MASKED_LM);
    weights.remove("cls.predictions.transform.dense.bias");
    weights.put(EncoderSpec.WORDS, TinyModel.tensor(EncoderSpec.WORDS, 9, 5));
    weights.put("bert.encoder.layer.2.output.dense.bias", TinyModel.tensor("extra", 4));
    TinyModel.write(path, MASKED_LM);
    SafeTensors.writeLazily(path.resolve("model.safetensors"), weights, Map.of());

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format("the weights of '%s' do not match its configuration:", path)
                + " tensor 'bert.embeddings.word_embeddings.weight' should have shape [9, 4] but"
                + " has [9, 5] in model.safetensors; tensor 'cls.predictions.transform.dense.bias'"
                + " [4] is missing; tensor 'bert.encoder.layer.2.output.dense.bias' in"
                + " model.safetensors is not a parameter of this model (masked-LM model, 2 layers);"
                + " use the config and the weights of the same model");
  }

  @Test
  void rejectsParameterThatIsNoFloat() throws IOException {
    TinyModel.write(path, MASKED_LM);
    TinyModel.makeInteger(path, "cls.predictions.bias");

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "tensor 'cls.predictions.bias' of '%s' has dtype I32; weights must be F32, F16, BF16 or"
                + " F64",
            path.resolve("model.safetensors"));
  }

  @Test
  void leavesOutTensorThatIsNoFloat() throws IOException {
    Map<String, LazyTensor> weights = TinyModel.weights(MASKED_LM);
    weights.put("quantized", TinyModel.tensor("quantized", 4));
    TinyModel.write(path, MASKED_LM, weights);
    TinyModel.makeInteger(path, "quantized");

    assertThat(HuggingFaceDirectory.open(path).notes())
        .singleElement()
        .asString()
        .contains("quantized");
  }

  @Test
  void rejectsUntiedDecoder() throws IOException {
    Map<String, LazyTensor> weights = TinyModel.weights(MASKED_LM);
    weights.put("cls.predictions.decoder.weight", TinyModel.tensor("decoder", 9, 4));
    TinyModel.write(path, MASKED_LM, weights);

    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      assertThatThrownBy(() -> HuggingFaceDirectory.open(path).weights(manager))
          .isInstanceOf(StillhouseException.class)
          .hasMessage(
              format(
                  "'%s' has a masked-LM decoder that is not tied to its word embeddings; use a"
                      + " model with tie_word_embeddings",
                  path));
    }
  }

  @Test
  void rejectsRobertaByName() throws IOException {
    TinyModel.write(path, MASKED_LM);
    TinyModel.edit(path, "\"model_type\": \"bert\"", "\"model_type\": \"roberta\"");

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s': model_type is 'roberta', but only 'bert', 'distilbert', 'albert' are"
                    + " supported; use a BERT encoder as teacher",
                path.resolve("config.json")));
  }

  @Test
  void rejectsUnsupportedConfigs() throws IOException {
    TinyModel.write(path, MASKED_LM);
    TinyModel.edit(
        path, "\"hidden_act\": \"gelu\"", "\"hidden_act\": \"silu\", \"is_decoder\": true");
    TinyModel.edit(
        path,
        "\"position_embedding_type\": \"absolute\"",
        "\"position_embedding_type\": \"relative_key\"");

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                    "'%s': hidden_act is 'silu', but only gelu, gelu_new, gelu_pytorch_tanh, relu"
                        + " are supported;",
                    path.resolve("config.json"))
                + " position_embedding_type is 'relative_key', but only 'absolute' is supported;"
                + " is_decoder is true, but only encoders are supported; use a BERT encoder"
                + " as teacher");
  }

  @Test
  void infersHeadFromTensorsIfConfigNamesNone() throws IOException {
    TinyModel.write(path, MASKED_LM);
    TinyModel.edit(path, "\"architectures\": [\n    \"BertForMaskedLM\"\n  ],", "");
    assertThat(HuggingFaceDirectory.open(path).spec().head()).isEqualTo(Head.MASKED_LM);

    path = parent.resolve("classifier");
    TinyModel.write(path, TinyModel.spec(4, 2, new Head(Task.CLASSIFICATION, List.of("a", "b"))));
    TinyModel.edit(path, "\"architectures\": [\n    \"BertForSequenceClassification\"\n  ],", "");
    assertThat(HuggingFaceDirectory.open(path).spec().head().labels()).containsExactly("a", "b");
  }

  @Test
  void rejectsVocabularyOfWrongSize() throws IOException {
    TinyModel.write(path, MASKED_LM);
    List<String> more = new ArrayList<>(TinyModel.VOCAB);
    more.add("more");
    Files.write(path.resolve("vocab.txt"), more);
    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "the tokenizer of '%s' has 10 tokens, but the word embeddings have 9 rows"
                    + " (vocab_size in config.json); use the vocabulary that the model was trained"
                    + " with",
                path));
  }

  @Test
  void countsAddedTokens() throws IOException {
    TinyModel.write(path, MASKED_LM);
    Files.writeString(path.resolve("added_tokens.json"), "{\"<e1>\": 9}");

    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has 10 tokens, but the word embeddings have 9 rows");
  }

  @Test
  void takesWordTableWithMoreRowsThanTokens() throws IOException {
    EncoderSpec padded =
        new EncoderSpec(
            new EncoderSpec.Embeddings(1009, 6, 2, 0),
            MASKED_LM.blocks(),
            MASKED_LM.numerics(),
            MASKED_LM.head());
    TinyModel.write(path, padded);

    assertThat(HuggingFaceDirectory.open(path).spec()).isEqualTo(padded);
  }

  @Test
  void reportsMissingFiles() throws IOException {
    Files.createDirectory(path);
    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' is not a Hugging Face directory: it has no config.json; create one with"
                    + " import, or correct the path",
                path));

    TinyModel.write(path, MASKED_LM);
    Files.delete(path.resolve("vocab.txt"));
    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' has neither tokenizer.json nor vocab.txt; copy the model's tokenizer next to"
                    + " its weights",
                path));

    Files.delete(path.resolve("model.safetensors"));
    assertThatThrownBy(() -> HuggingFaceDirectory.open(path))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' has no weights: neither model.safetensors nor pytorch_model.bin, nor shards"
                    + " with an index; copy the weights next to config.json, or use import for"
                    + " other formats",
                path));
  }
}

package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.Head;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BiLstmDirectoryTest {
  private static final Path PAIR = Golden.DIRECTORY.resolve("bilstm-tiny-pair-v1");

  private final NDManager manager = NDManager.newBaseManager();
  @TempDir private Path directory;

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void opensEitherArchitecture() throws IOException {
    BiLstmSpec spec = (BiLstmSpec) ModelDirectory.open(PAIR).spec();

    assertThat(spec.words()).isEqualTo(new BiLstmSpec.Words(120, 24));
    assertThat(spec.units()).isEqualTo(new BiLstmSpec.Units(12, 20));
    assertThat(spec.texts()).isEqualTo(BiLstmSpec.Texts.PAIR);
    assertThat(spec.head().labels()).containsExactly("LABEL_0", "LABEL_1", "LABEL_2");
    assertThat(spec.parameterCount())
        .isEqualTo(120 * 24 + 2 * 48 * (24 + 12 + 2) + 20 * (96 + 1) + 3 * (20 + 1));
    assertThat(ModelDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-cls-v1")))
        .isInstanceOf(HuggingFaceDirectory.class);
  }

  @Test
  void rejectsBiLstmAsTeacher() {
    assertThatThrownBy(() -> HuggingFaceDirectory.open(PAIR))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s/config.json': model_type is 'stillhouse-bilstm', but only 'bert',"
                    + " 'distilbert', 'albert' are supported; use a BERT encoder as teacher",
                PAIR));
  }

  @Test
  void rejectsParameterThatIsNoFloat() throws IOException {
    Path copy = directory.resolve("copy");
    ModelDirectory original = ModelDirectory.open(PAIR);
    original.copyTo(copy);
    String name = original.spec().parameters().keySet().iterator().next();
    TinyModel.makeInteger(copy, name);

    assertThatThrownBy(() -> ModelDirectory.open(copy))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(format("tensor '%s' of '%s", name, copy))
        .hasMessageContaining("has dtype I32");
  }

  @Test
  void readsBackWhatItWrote() throws IOException {
    BiLstmSpec from = (BiLstmSpec) ModelDirectory.open(PAIR).spec();
    BiLstmSpec spec =
        new BiLstmSpec(from.words(), from.units(), 0.25, from.texts(), Head.REGRESSION);
    Map<String, NDArray> weights = ModelDirectory.open(PAIR).weights(manager);
    weights.put("classifier.weight", manager.ones(new ai.djl.ndarray.types.Shape(1, 20)));
    weights.put("classifier.bias", manager.ones(new ai.djl.ndarray.types.Shape(1)));

    ModelDirectory.write(directory.resolve("a"), spec, weights, PAIR);
    ModelDirectory.open(directory.resolve("a")).copyTo(directory.resolve("b"));
    ModelDirectory copy = ModelDirectory.open(directory.resolve("b"));

    assertThat(copy.spec()).isEqualTo(spec);
    assertThat(directory.resolve("b/vocab.txt")).hasSameBinaryContentAs(PAIR.resolve("vocab.txt"));
    copy.weights(manager)
        .forEach(
            (name, weight) ->
                assertThat(weight.toFloatArray())
                    .as(name)
                    .containsExactly(weights.get(name).toFloatArray()));
  }

  @Test
  void reportsEveryMismatchedTensor() throws IOException {
    Map<String, NDArray> weights = ModelDirectory.open(PAIR).weights(manager);
    NDArray bias = weights.remove("dense.bias");
    weights.put("pooler.bias", bias);
    ModelDirectory.open(PAIR).copyTo(directory.resolve("a"));
    SafeTensors.write(directory.resolve("a/model.safetensors"), weights, Map.of());

    assertThatThrownBy(() -> ModelDirectory.open(directory.resolve("a")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("tensor 'dense.bias' [20] is missing")
        .hasMessageContaining(
            "tensor 'pooler.bias' in model.safetensors is not a parameter of this model (BiLSTM)");
  }

  @Test
  void rejectsVocabularyOfWrongSize() throws IOException {
    ModelDirectory.open(PAIR).copyTo(directory.resolve("a"));
    Files.writeString(directory.resolve("a/added_tokens.json"), "{\"<e1>\": 120}");

    assertThatThrownBy(() -> ModelDirectory.open(directory.resolve("a")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has 121 tokens, but the word embeddings have 120 rows");
  }
}

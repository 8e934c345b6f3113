package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BiLstmInitTest {
  private static final BiLstmSpec SPEC =
      new BiLstmSpec(
          new BiLstmSpec.Words(120, 32),
          new BiLstmSpec.Units(16, 25),
          0,
          BiLstmSpec.Texts.PAIR,
          new Head(Task.CLASSIFICATION, List.of("a", "b")));

  private final NDManager manager = NDManager.newBaseManager();

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void everyTensorIsUniformWithinItsBound() {
    BiLstmInit.random(manager, SPEC, Map.of(), 1)
        .forEach(
            (name, weight) -> {
              double bound =
                  name.startsWith("lstm.")
                      ? 1 / 4.0
                      : name.startsWith("dense.")
                          ? 1 / Math.sqrt(128)
                          : name.startsWith("classifier.") ? 1 / 5.0 : 0.25;
              float largest = weight.abs().max().getFloat();
              assertThat(weight.getShape().getShape()).isEqualTo(SPEC.parameters().get(name));
              assertThat(largest).as(name).isBetween((float) (0.4 * bound), (float) bound);
            });
  }

  @Test
  void tensorDependsOnlyOnSeedAndItsName() {
    BiLstmSpec wider =
        new BiLstmSpec(
            SPEC.words(), new BiLstmSpec.Units(16, 50), 0, BiLstmSpec.Texts.PAIR, SPEC.head());
    Map<String, NDArray> first = BiLstmInit.random(manager, SPEC, Map.of(), 1);
    Map<String, NDArray> second = BiLstmInit.random(manager, wider, Map.of(), 1);
    Map<String, NDArray> other = BiLstmInit.random(manager, SPEC, Map.of(), 2);

    String name = "lstm.weight_hh_l0_reverse";
    assertThat(second.get(name).toFloatArray()).containsExactly(first.get(name).toFloatArray());
    assertThat(other.get(name).toFloatArray()).isNotEqualTo(first.get(name).toFloatArray());
    assertThat(first.get("lstm.weight_hh_l0").toFloatArray())
        .isNotEqualTo(first.get(name).toFloatArray());
  }

  @Test
  void copiesTeachersWordVectors() throws IOException {
    HuggingFaceDirectory teacher =
        HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-cls-v1"));

    Map<String, NDArray> weights = BiLstmInit.from(manager, SPEC, teacher, 1);

    assertThat(weights.keySet()).containsExactlyElementsOf(SPEC.parameters().keySet());
    assertThat(weights.get(BiLstmSpec.WORDS).toFloatArray())
        .containsExactly(teacher.weights(manager).get(EncoderSpec.WORDS).toFloatArray());
  }

  @Test
  void knownVectorsReplaceRandomOnes() {
    float[] vector = new float[32];
    Arrays.fill(vector, 7f);

    NDArray random = BiLstmInit.random(manager, SPEC, Map.of(), 1).get(BiLstmSpec.WORDS);
    NDArray words = BiLstmInit.random(manager, SPEC, Map.of(3, vector), 1).get(BiLstmSpec.WORDS);

    assertThat(words.get(3).toFloatArray()).containsExactly(vector);
    assertThat(words.get(2).toFloatArray()).containsExactly(random.get(2).toFloatArray());
    assertThat(words.get("4:").toFloatArray()).containsExactly(random.get("4:").toFloatArray());
  }
}

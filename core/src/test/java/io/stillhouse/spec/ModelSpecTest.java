package io.stillhouse.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class ModelSpecTest {
  private static final ModelSpec BERT_BASE =
      new ModelSpec(
          new ModelSpec.Embeddings(30522, 512, 2, 0),
          new ModelSpec.Blocks(12, 768, 12, 3072),
          new ModelSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
          Head.MASKED_LM);

  @Test
  void bertBaseHasAsManyParametersAsHuggingFaceCounts() {
    assertThat(BERT_BASE.parameterCount()).isEqualTo(109_514_298L);
  }

  @Test
  void aHeadAddsItsOwnParameters() {
    long bare = BERT_BASE.withHead(Head.NONE).parameterCount();
    Head threeClasses = new Head(Task.CLASSIFICATION, List.of("a", "b", "c"));

    // BertModel without a pooler; a pooler of 768 x 768 + 768 and a classifier of C x 768 + C.
    assertThat(bare).isEqualTo(108_891_648L);
    assertThat(BERT_BASE.withHead(threeClasses).parameterCount() - bare)
        .isEqualTo(590_592 + 3 * 769);
    assertThat(BERT_BASE.withHead(Head.REGRESSION).parameterCount() - bare)
        .isEqualTo(590_592 + 769);
  }

  @Test
  void kernelsAreOutByIn() {
    assertThat(BERT_BASE.parameters().get("bert.encoder.layer.11.intermediate.dense.weight"))
        .containsExactly(3072, 768);
    assertThat(BERT_BASE.parameters().get("bert.encoder.layer.11.output.dense.weight"))
        .containsExactly(768, 3072);
  }

  @Test
  void blocksCountFromOneAndTheirNamesFromZero() {
    assertThat(ModelSpec.blockPrefix(1)).isEqualTo("bert.encoder.layer.0.");
    assertThat(BERT_BASE.headSize()).isEqualTo(64);
  }

  @Test
  void aHeadHasLabelsIfAndOnlyIfItClassifies() {
    String message = "classification has two or more labels, other tasks have none";

    assertThatThrownBy(() -> new Head(Task.CLASSIFICATION, List.of("alone")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
    assertThatThrownBy(() -> new Head(Task.REGRESSION, List.of("a", "b")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }
}

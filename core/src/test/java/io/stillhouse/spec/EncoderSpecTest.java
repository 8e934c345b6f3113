package io.stillhouse.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class EncoderSpecTest {
  private static final EncoderSpec BERT_BASE =
      new EncoderSpec(
          new EncoderSpec.Embeddings(30522, 512, 2, 0),
          new EncoderSpec.Blocks(12, 768, 12, 3072),
          new EncoderSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
          Head.MASKED_LM);
  private static final Head TWO_CLASSES = new Head(Task.CLASSIFICATION, List.of("a", "b"));

  @Test
  void parameterCountOfBertBaseMatchesHuggingFace() {
    assertThat(BERT_BASE.parameterCount()).isEqualTo(109_514_298L);
  }

  @Test
  void headAddsItsOwnParameters() {
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
  void parameterCountOfDistilBertBaseMatchesHuggingFace() {
    EncoderSpec maskedLm = base(Architecture.DISTILBERT, 768, 6, 30522, 0);

    assertThat(maskedLm.parameterCount()).isEqualTo(66_985_530L);
    assertThat(maskedLm.withHead(Head.NONE).parameterCount()).isEqualTo(66_362_880L);
    assertThat(maskedLm.withHead(TWO_CLASSES).parameterCount()).isEqualTo(66_955_010L);
  }

  @Test
  void parameterCountOfAlbertBaseMatchesHuggingFace() {
    EncoderSpec maskedLm = base(Architecture.ALBERT, 128, 12, 30000, 2);

    assertThat(maskedLm.parameterCount()).isEqualTo(11_221_680L);
    // Hugging Face's classifier counts a pooler of 768 x 768 + 768, too, as ours does.
    assertThat(maskedLm.withHead(TWO_CLASSES).parameterCount()).isEqualTo(11_685_122L);
    assertThat(maskedLm.prefixOf(12)).isEqualTo(EncoderSpec.blockPrefix(1));
    assertThat(maskedLm.distinctBlocks()).isEqualTo(1);
  }

  @Test
  void rejectsUnsupportedShapes() {
    assertThatThrownBy(() -> base(Architecture.DISTILBERT, 768, 6, 30522, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("DISTILBERT has no segment embeddings");
    assertThatThrownBy(() -> base(Architecture.BERT, 128, 6, 30522, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the tables of BERT have the width of its hidden states, 768, not 128");
    EncoderSpec.Numerics coarse = new EncoderSpec.Numerics(1e-5, 0.1, 0.1, 0.1);
    EncoderSpec.Embeddings tables = new EncoderSpec.Embeddings(30522, 512, 0, 0);
    assertThatThrownBy(
            () ->
                new EncoderSpec(
                    Architecture.DISTILBERT, 768, tables, BERT_BASE.blocks(), coarse, Head.NONE))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("LayerNorm's epsilon of DISTILBERT is 1.0E-12, not 1.0E-5");
  }

  private static EncoderSpec base(
      Architecture architecture, int embeddingSize, int layers, int vocabulary, int segments) {
    return new EncoderSpec(
        architecture,
        embeddingSize,
        new EncoderSpec.Embeddings(vocabulary, 512, segments, 0),
        new EncoderSpec.Blocks(layers, 768, 12, 3072),
        BERT_BASE.numerics(),
        Head.MASKED_LM);
  }

  @Test
  void kernelShapesAreOutByIn() {
    assertThat(BERT_BASE.parameters().get("bert.encoder.layer.11.intermediate.dense.weight"))
        .containsExactly(3072, 768);
    assertThat(BERT_BASE.parameters().get("bert.encoder.layer.11.output.dense.weight"))
        .containsExactly(768, 3072);
  }

  @Test
  void blocksCountFromOneAndTensorNamesFromZero() {
    assertThat(EncoderSpec.blockPrefix(1)).isEqualTo("bert.encoder.layer.0.");
    assertThat(BERT_BASE.headSize()).isEqualTo(64);
  }

  @Test
  void onlyClassificationHeadsHaveLabels() {
    String message =
        "classification heads have two or more labels, multi-label heads one or more, others none";

    assertThatThrownBy(() -> new Head(Task.CLASSIFICATION, List.of("alone")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
    assertThatThrownBy(() -> new Head(Task.REGRESSION, List.of("a", "b")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }
}

package io.stillhouse.evaluate;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Shapes of 2 blocks, width 4, 2 heads and inner width 8, at 3 tokens, by hand. */
class FlopsTest {
  private static final Head THREE_CLASSES = new Head(Task.CLASSIFICATION, List.of("a", "b", "c"));

  /** A block has 4 products of 4 x 4 and two of 4 x 8 at 3 tokens, 3 x 3 scores and sums of 4. */
  private static final long BLOCK = 3 * (4 * 16 + 2 * 32) + 2 * 9 * 4;

  /** A pooler of 4 x 4 and a classifier of 3 x 4. */
  private static final long POOLED = 16 + 12;

  @Test
  void countsBlocksAndHeadOfBert() {
    EncoderSpec classifier = encoder(Architecture.BERT, 4, THREE_CLASSES);

    assertThat(BLOCK).isEqualTo(456);
    assertThat(Flops.of(classifier, 3)).isEqualTo(2 * (2 * BLOCK + POOLED)).isEqualTo(1880);
    assertThat(Flops.of(classifier.withHead(Head.REGRESSION), 3))
        .isEqualTo(2 * (2 * BLOCK + 16 + 4));
    assertThat(Flops.of(classifier.withHead(Head.MASKED_LM), 3)).isEqualTo(2 * 2 * BLOCK);
  }

  @Test
  void countsDistilBertLikeBert() {
    assertThat(Flops.of(encoder(Architecture.DISTILBERT, 4, THREE_CLASSES), 3))
        .isEqualTo(2 * (2 * BLOCK + POOLED));
  }

  @Test
  void countsEmbeddingMappingAndEveryPassOfAlbert() {
    assertThat(Flops.of(encoder(Architecture.ALBERT, 2, THREE_CLASSES), 3))
        .isEqualTo(2 * (3 * 2 * 4 + 2 * BLOCK + POOLED));
  }

  @Test
  void countsGatesOfBiLstmInBothDirections() {
    // Word vectors of 5, 2 units a direction, 6 ReLU units: 4 gates of 2 units read 5 + 2 numbers.
    long gates = 2 * 3 * 4 * 2 * (5 + 2);

    assertThat(Flops.of(biLstm(BiLstmSpec.Texts.SINGLE), 3))
        .isEqualTo(2 * (gates + 6 * 4 + 3 * 6))
        .isEqualTo(756);
    // 3 tokens of both texts; the ReLU layer reads a, b, a * b and |a - b|, 4 numbers each.
    assertThat(Flops.of(biLstm(BiLstmSpec.Texts.PAIR), 3))
        .isEqualTo(2 * (gates + 6 * 16 + 3 * 6))
        .isEqualTo(900);
  }

  /** In billions at 128 tokens, with one decimal. Multiply-adds counted once would be half. */
  @ParameterizedTest
  @CsvSource({
    "12, 768, 3072, 22.5",
    "6, 768, 3072, 11.3",
    "4, 768, 3072, 7.6",
    "4, 512, 2048, 3.4",
    "4, 312, 1200, 1.2"
  })
  void tinyBertTableCountsMultiplyAddAsTwo(int layers, int width, int inner, double table) {
    EncoderSpec spec =
        new EncoderSpec(
            new EncoderSpec.Embeddings(30522, 512, 2, 0),
            new EncoderSpec.Blocks(layers, width, 12, inner),
            new EncoderSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
            Head.NONE);
    double blocks = Flops.of(spec, 128) / 1e9;
    double poolerAtEveryToken = 2 * 128 * (double) width * width / 1e9;

    assertThat(table).isBetween(blocks - 0.05, blocks + poolerAtEveryToken + 0.05);
  }

  private static EncoderSpec encoder(Architecture architecture, int embeddingSize, Head head) {
    return new EncoderSpec(
        architecture,
        embeddingSize,
        new EncoderSpec.Embeddings(50, 20, architecture.hasSegments() ? 2 : 0, 0),
        new EncoderSpec.Blocks(2, 4, 2, 8),
        new EncoderSpec.Numerics(1e-12, 0, 0, 0),
        head);
  }

  private static BiLstmSpec biLstm(BiLstmSpec.Texts texts) {
    return new BiLstmSpec(
        new BiLstmSpec.Words(50, 5), new BiLstmSpec.Units(2, 6), 0, texts, THREE_CLASSES);
  }
}

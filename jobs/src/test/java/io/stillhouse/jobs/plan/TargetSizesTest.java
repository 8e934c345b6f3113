package io.stillhouse.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.TargetChoice;
import io.stillhouse.target.Targets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A probe of 10 rows and 100 tokens, for a corpus of ten times the rows with longer texts. */
class TargetSizesTest {
  private static final Lengths PROBED = new Lengths(10, 10, 100, 1000);
  private static final Lengths CORPUS = new Lengths(100, 90, 2000, 50_000);
  private static final EncoderSpec TEACHER =
      new EncoderSpec(
          new EncoderSpec.Embeddings(100, 40, 2, 0),
          new EncoderSpec.Blocks(3, 24, 4, 48),
          new EncoderSpec.Numerics(1e-12, 0, 0, 0),
          Head.NONE);

  private static final TargetSizes SIZES =
      new TargetSizes(
          new StoredBytes(
              Map.of(
                  "inputs/input_ids", 500L,
                  "logits/logits", 120L,
                  "hidden/hidden_03", 9600L,
                  "attention/attention_03", 16_000L),
              64,
              0),
          PROBED,
          new StoredBytes(Map.of("inputs/input_ids", 500L), 64, 0),
          PROBED,
          CORPUS);

  @Test
  void logitsGrowWithRows() {
    assertThat(SIZES.measuredBytes(Targets.LOGITS)).isEqualTo(1200);
  }

  @Test
  void hiddenStatesGrowWithTokens() {
    assertThat(SIZES.measuredBytes(Targets.hidden(3))).isEqualTo(192_000);
  }

  @Test
  void attentionGrowsWithSquaredLengths() {
    assertThat(SIZES.measuredBytes(Targets.attention(3))).isEqualTo(800_000);
  }

  @Test
  void inputsGrowWithTokens() {
    assertThat(SIZES.inputsOfCorpus()).isEqualTo(10_000);
  }

  @Test
  void cacheSizeIsSumOfColumnsAndFooters() {
    // 2,000 tokens in shards of 500; the probe has two shards, with 32 other bytes each.
    assertThat(SIZES.cache(500, 2)).isEqualTo(10_000 + 1200 + 192_000 + 800_000 + 4 * 32);
  }

  @Test
  void countsPartialLastShard() {
    assertThat(SIZES.shards(600)).isEqualTo(4);
  }

  @Test
  void studentReadsInputsAndItsOwnColumns() {
    assertThat(SIZES.read(List.of(Targets.hidden(3)))).isEqualTo(10_000 + 192_000);
    assertThat(SIZES.readOfProbe(List.of(Targets.hidden(3)))).isEqualTo(500 + 9600);
  }

  @Test
  void computesSizeOfUnmeasuredColumnFromItsShape() {
    TargetChoice float16 = hidden(Dtype.FLOAT16);

    assertThat(SIZES.computed(Targets.hidden(3), float16, TEACHER, 0))
        .isEqualTo(2000 * Dtype.FLOAT16.bytes(1, 24));
  }

  @Test
  void usesMeasuredSizeForTensorsOfProbe() {
    TargetChoice float32 = hidden(Dtype.FLOAT32);

    assertThat(SIZES.tensors(float32, float32, TEACHER, 0)).isEqualTo(192_000);
  }

  @Test
  void computesSizeOfTensorsOfOtherDtypes() {
    assertThat(SIZES.tensors(hidden(Dtype.FLOAT16), hidden(Dtype.FLOAT32), TEACHER, 0))
        .isCloseTo(2000.0 * Dtype.FLOAT16.bytes(1, 24), within(1e-9));
  }

  private static TargetChoice hidden(Dtype dtype) {
    return new TargetChoice(
        dtype, TargetChoice.Logits.NONE, MlmTargets.NONE, List.of(3), List.of(), List.of());
  }
}

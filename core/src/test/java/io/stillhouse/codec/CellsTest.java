package io.stillhouse.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.CachedTargets;
import io.stillhouse.Golden;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.MlmTargets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Targets read back from cells against those that the teacher computed. */
class CellsTest extends CachedTargets {
  @ParameterizedTest
  @CsvSource({"FLOAT32, 0", "FLOAT16, 5e-4", "INT8, 1e-2"})
  void storedTargetsAreWithinRoundingOfTheirDtype(Dtype dtype, double most) {
    TargetBatch read = cached(dtype, List.of(0, 3), List.of(2), MlmTargets.NONE);

    assertThat(error(read.hiddenBLD(3), live.hidden(3), 1)).isLessThanOrEqualTo(most);
    assertThat(error(read.attentionBHLL(2), live.scores(2), 2)).isLessThanOrEqualTo(most);
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32, 1e-5", "FLOAT16, 5e-4", "INT8, 1e-2"})
  void derivedTargetsAreWithinRoundingOfHiddenStateBelow(Dtype dtype, double most) {
    TargetBatch read =
        cached(
            dtype,
            List.of(1, 3),
            List.of(),
            new MlmTargets(MlmTargets.Kind.DERIVED, 0, List.of(), Positions.ALL));

    assertThat(error(read.attentionBHLL(2), live.scores(2), 2)).isLessThan(most);
    assertThat(error(read.relationsBHLL(AttentionPart.VALUE, 2, 4), live.valueRelations(2), 2))
        .isLessThan(most);
    assertThat(error(read.maskedLmLogitsNV(Positions.ALL), liveLogits(Positions.ALL), 0))
        .isLessThan(most);
  }

  @Test
  void embeddingOutputIsDerivedFromIds() {
    TargetBatch read = cached(Dtype.INT8, List.of(3), List.of(), MlmTargets.NONE);

    assertThat(error(read.hiddenBLD(0), live.hidden(0), 1)).isZero();
  }

  @ParameterizedTest
  @EnumSource(Positions.class)
  void denseLogitsEqualLogitsOfTeacher(Positions positions) {
    MlmTargets dense = new MlmTargets(MlmTargets.Kind.DENSE, 0, List.of(), positions);
    TargetBatch read = cached(Dtype.FLOAT32, List.of(), List.of(), dense);

    assertThat(error(read.maskedLmLogitsNV(positions), liveLogits(positions), 0)).isLessThan(1e-6);
  }

  @Test
  void readsMaskedTokensFromCellsOfAllTokens() {
    MlmTargets all = new MlmTargets(MlmTargets.Kind.DENSE, 0, List.of(), Positions.ALL);
    TargetBatch read = cached(Dtype.FLOAT32, List.of(), List.of(), all);

    assertThat(error(read.maskedLmLogitsNV(Positions.MASKED), liveLogits(Positions.MASKED), 0))
        .isLessThan(1e-6);
  }

  @Test
  void rejectsTokensWithoutSoftLabels() {
    MlmTargets masked = new MlmTargets(MlmTargets.Kind.DENSE, 0, List.of(), Positions.MASKED);
    TargetBatch read = cached(Dtype.FLOAT32, List.of(), List.of(), masked);

    assertThatThrownBy(() -> read.maskedLmLogitsNV(Positions.ALL))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("only the masked tokens of 'row 0' have soft labels");
  }

  @Test
  void drawsDependOnlyOnSeedAndKey() {
    Map<Column, List<byte[]>> once = encode(sampledTargets(50), Dtype.INT8, 3, rows);
    Map<Column, List<byte[]>> alone = encode(sampledTargets(50), Dtype.INT8, 3, rows.subList(2, 3));
    Map<Column, List<byte[]>> other = encode(sampledTargets(50), Dtype.INT8, 4, rows);

    Column counts = sampledTargets(50).sampleCounts();
    assertThat(alone.get(counts).get(0)).isEqualTo(once.get(counts).get(2));
    assertThat(other.get(counts).get(2)).isNotEqualTo(once.get(counts).get(2));
  }

  private static MlmTargets sampledTargets(int draws) {
    return new MlmTargets(MlmTargets.Kind.SAMPLED, draws, List.of(1.0), Positions.ALL);
  }

  /** Returns the relative error over real tokens, or pairs of them, or everything. */
  private double error(NDArray read, NDArray reference, int masks) {
    NDArray mask = batch.maskBL1();
    long longest = batch.longest();
    NDArray weights =
        switch (masks) {
          case 1 -> mask;
          case 2 -> mask.reshape(-1, 1, longest, 1).mul(mask.reshape(-1, 1, 1, longest));
          default -> manager.ones(new Shape(1));
        };
    return Golden.norm(read.sub(reference).mul(weights)) / Golden.norm(reference.mul(weights));
  }
}

package io.stillhouse.jobs.cache.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.spec.Precision;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Errors of logits [3, 4], whose norm is 5, worked by hand. */
class ColumnSumsTest {
  private final ColumnSums sums = new ColumnSums(Targets.LOGITS, ColumnSums.Source.STORED);

  @Test
  void errorIsRelativeDistanceBetweenCachedAndLive() {
    sums.add(row(logits(3, 3.5f), logits(3, 4), logits(3, 4), logits(3, 4)));

    assertThat(error(sums).error()).isCloseTo(0.1, within(1e-9));
  }

  @Test
  void noiseIsRelativeDistanceBetweenBatchedAndSingleRows() {
    sums.add(row(logits(3, 4), logits(3, 4.25f), logits(3, 4), logits(3, 4)));

    assertThat(error(sums).noise()).isCloseTo(0.05, within(1e-9));
  }

  @Test
  void limitIsRoundingOfDtypePlusTenTimesNoise() {
    sums.add(row(logits(3, 4), logits(3, 4.25f), logits(3, 4), logits(3, 4)));

    assertThat(error(sums).limit()).isCloseTo(0.5 + 1e-5, within(1e-9));
  }

  @Test
  void derivedColumnsMayDifferByRoundingOfBfloat16() {
    ColumnSums derived = new ColumnSums(Targets.LOGITS, ColumnSums.Source.DERIVED);
    derived.add(row(logits(3, 4), logits(3, 4), logits(3, 4), logits(3, 4)));

    assertThat(derived.name()).isEqualTo("logits (derived)");
    assertThat(derived.error(Dtype.FLOAT32, Precision.BFLOAT16).limit())
        .isCloseTo(1e-5 + 1.0 / 128, within(1e-12));
  }

  @Test
  void costOfPrecisionIsRelativeDistanceFromFloat32() {
    sums.add(row(logits(3, 4), logits(3, 4), logits(3, 4), logits(3, 4.5f)));

    assertThat(error(sums).fromFloat32()).isCloseTo(0.1, within(1e-9));
  }

  @Test
  void missingNumbersGiveInfiniteError() {
    sums.add(row(logits(3), logits(3, 4), logits(3, 4), logits(3, 4)));

    assertThat(error(sums).error()).isInfinite();
    assertThat(error(sums).faithful()).isFalse();
  }

  private static Fidelity.ColumnError error(ColumnSums sums) {
    return sums.error(Dtype.FLOAT32, Precision.FLOAT32);
  }

  private static ColumnSums.RowTargets row(
      Example cached, Example batched, Example alone, Example float32) {
    return new ColumnSums.RowTargets(cached, batched, alone, float32);
  }

  private static Example logits(float... numbers) {
    ByteBuffer cell = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
    cell.asFloatBuffer().put(numbers);
    return new Example(
        "a",
        new Example.Inputs(new int[] {1, 2}, new int[] {0, 0}, null, Double.NaN),
        Dtype.FLOAT32,
        Map.of("logits", cell.array()));
  }
}

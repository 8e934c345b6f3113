package io.stillhouse.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.evaluate.HeadImportance.Normalize;
import java.util.List;
import org.junit.jupiter.api.Test;

class HeadImportanceTest {
  /** Three rows of two blocks of two heads: means 3, 4; 0.5, 0 in size. */
  private static final double[][][] GRADIENTS = {
    {{1, -4}, {0.5, 0}}, {{-3, 4}, {-0.5, 0}}, {{5, 4}, {0.5, 0}}
  };

  @Test
  void averagesAbsoluteValuesOfGradients() {
    List<HeadImportance> blocks = HeadImportance.of(HeadSums.of(GRADIENTS), Normalize.NONE);

    assertThat(blocks).extracting(HeadImportance::block).containsExactly(1, 2);
    assertThat(blocks.get(0).importance()).containsExactly(3.0, 4.0);
    assertThat(blocks.get(1).importance()).containsExactly(0.5, 0.0);
    // The standard deviation of 1, 3, 5 is 2; divided by sqrt(3).
    assertThat(blocks.get(0).standardErrors().get(0)).isCloseTo(2 / Math.sqrt(3), within(1e-12));
    assertThat(blocks.get(0).standardErrors().get(1)).isZero();
    assertThat(blocks.get(0).ranks()).containsExactly(2, 1);
    assertThat(blocks.get(1).ranks()).containsExactly(3, 4);
  }

  @Test
  void dividesByNormOfBlock() {
    List<HeadImportance> blocks = HeadImportance.of(HeadSums.of(GRADIENTS), Normalize.LAYER);

    assertThat(blocks.get(0).importance()).containsExactly(3.0 / 5, 4.0 / 5);
    assertThat(blocks.get(1).importance()).containsExactly(1.0, 0.0);
    assertThat(blocks.get(0).standardErrors().get(0))
        .isCloseTo(2 / Math.sqrt(3) / 5, within(1e-12));
    assertThat(blocks.get(0).ranks()).containsExactly(3, 2);
    assertThat(blocks.get(1).ranks()).containsExactly(1, 4);
  }

  @Test
  void keepsZeroImportancesAtZero() {
    double[][][] nothing = {{{0, 0}}, {{0, 0}}};

    assertThat(HeadImportance.of(HeadSums.of(nothing), Normalize.LAYER).get(0).importance())
        .containsExactly(0.0, 0.0);
  }

  @Test
  void addsPartialSums() {
    HeadSums parts =
        HeadSums.total(
            List.of(
                HeadSums.of(new double[][][] {GRADIENTS[0]}),
                HeadSums.of(new double[][][] {GRADIENTS[1], GRADIENTS[2]})));

    assertThat(HeadImportance.of(parts, Normalize.LAYER))
        .isEqualTo(HeadImportance.of(HeadSums.of(GRADIENTS), Normalize.LAYER));
  }

  @Test
  void oneRowHasNoStandardError() {
    HeadSums one = HeadSums.of(new double[][][] {GRADIENTS[0]});

    assertThatThrownBy(() -> HeadImportance.of(one, Normalize.NONE))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a standard error needs at least 2 rows, but there are 1");
  }
}

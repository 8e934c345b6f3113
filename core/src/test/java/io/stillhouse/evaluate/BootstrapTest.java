package io.stillhouse.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class BootstrapTest {
  @Test
  void matchesFormulaForMean() {
    double[] values = new double[400];
    Arrays.setAll(values, i -> i % 5 == 0 ? 1 : 0); // share 0.2: error sqrt(0.2 0.8 / 400) = 0.02

    // The deviation of 1,000 draws is known to 1 / sqrt(2,000) = 2.2 %: five of these.
    assertThat(Bootstrap.standardError(400, rows -> mean(values, rows)))
        .isCloseTo(0.02, within(0.02 * 0.11));
  }

  @Test
  void sharedNoiseCancelsInDifference() {
    double[] values = new double[100];
    double[] half = new double[100];
    Arrays.setAll(values, i -> i);
    Arrays.setAll(half, i -> i - 0.5);

    assertThat(Bootstrap.standardError(100, rows -> mean(values, rows) - mean(half, rows)))
        .isCloseTo(0, within(1e-12));
  }

  @Test
  void isDeterministicAndZeroForOneRow() {
    double[] values = {3, 1, 4, 1, 5};

    assertThat(Bootstrap.standardError(5, rows -> mean(values, rows)))
        .isEqualTo(Bootstrap.standardError(5, rows -> mean(values, rows)))
        .isPositive();
    assertThat(Bootstrap.standardError(1, rows -> values[rows[0]])).isZero();
  }

  private static double mean(double[] values, int[] rows) {
    return Arrays.stream(rows).mapToDouble(row -> values[row]).average().orElseThrow();
  }
}

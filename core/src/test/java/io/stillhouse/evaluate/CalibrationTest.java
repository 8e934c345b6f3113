package io.stillhouse.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class CalibrationTest {
  @Test
  void equalsValueWorkedByHand() {
    // Bins of width 0.5: 0.2 and 0.4 with one hit, |0.5 - 0.3| = 0.2; 0.9, 0.8, 0.7 and 1.0 with
    // two hits, |0.5 - 0.85| = 0.35. (2 * 0.2 + 4 * 0.35) / 6 = 0.3.
    Calibration calibration =
        Calibration.of(
            new double[] {0.2, 0.9, 0.8, 0.4, 0.7, 1.0},
            new boolean[] {false, true, false, true, false, true},
            2);
    assertThat(calibration.expectedError()).isEqualTo(0.3, within(1e-12));
    assertThat(calibration.rows()).isEqualTo(6);
    assertThat(calibration.rate()).isEqualTo(0.5);
    assertThat(calibration.meanProbability()).isEqualTo(4.0 / 6, within(1e-12));
    assertThat(calibration.bins().get(1))
        .isEqualTo(new Calibration.Bin(0.5, 1, 4, (0.9 + 0.8 + 0.7 + 1.0) / 4, 0.5));
  }

  @Test
  void boundaryBelongsToLowerBinAndZeroToFirst() {
    Calibration calibration =
        Calibration.of(new double[] {0, 0.5, 1}, new boolean[] {false, true, true}, 2);
    assertThat(calibration.bins()).extracting(Calibration.Bin::rows).containsExactly(2, 1);
  }

  @Test
  void emptyBinHasNoRate() {
    Calibration calibration = Calibration.of(new double[] {0.9}, new boolean[] {true}, 3);
    assertThat(calibration.bins().get(0).rate()).isNaN();
    assertThat(calibration.expectedError()).isEqualTo(0.1, within(1e-12));
  }

  @Test
  void isNotDefinedWithoutPredictions() {
    assertThat(Calibration.of(new double[0], new boolean[0], 3).expectedError()).isNaN();
  }

  @Test
  void rejectsWhatIsNoProbability() {
    assertThatThrownBy(() -> Calibration.of(new double[] {1.5}, new boolean[] {true}, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("1.5 is not a probability");
    assertThatThrownBy(() -> Calibration.of(new double[] {Double.NaN}, new boolean[] {true}, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("NaN is not a probability");
    assertThatThrownBy(() -> Calibration.of(new double[1], new boolean[2], 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("lengths differ: 1 and 2");
  }
}

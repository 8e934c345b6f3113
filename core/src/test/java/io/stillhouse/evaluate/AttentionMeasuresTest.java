package io.stillhouse.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class AttentionMeasuresTest {
  private static final boolean[] CLS_WORD_SEP = {true, false, true};

  @Test
  void headThatLooksAtNextTokenHasNoEntropyAndDistanceOne() {
    double[] weights = {0, 1, 0, 0, 0, 1, 0, 1, 0};
    AttentionMeasures mean = AttentionMeasures.of(weights, CLS_WORD_SEP).mean();
    assertThat(mean).isEqualTo(new AttentionMeasures(1, 0, 0, 1, 0, 1 / 3.0));
  }

  @Test
  void uniformHeadHasLargestEntropy() {
    double third = 1 / 3.0;
    double[] weights = {third, third, third, third, third, third, third, third, third};
    AttentionMeasures mean = AttentionMeasures.of(weights, CLS_WORD_SEP).mean();
    assertThat(mean.entropy()).isCloseTo(Math.log(3), within(1e-12));
    assertThat(mean.relativeEntropy()).isCloseTo(1, within(1e-12));
    // |q - k| over the nine pairs: 0 1 2, 1 0 1, 2 1 0
    assertThat(mean.distance()).isCloseTo(8 / 9.0, within(1e-12));
    assertThat(mean.self()).isCloseTo(third, within(1e-12));
    assertThat(mean.special()).isCloseTo(2 * third, within(1e-12));
  }

  @Test
  void weightsAreSoftmaxOfEachQuery() {
    float[] scores = {9, 0, (float) Math.log(3), 500, 500};
    assertThat(AttentionMeasures.weights(scores, 1, 2))
        .containsExactly(new double[] {0.25, 0.75, 0.5, 0.5}, within(1e-7));
  }

  @Test
  void sumsOfRowsAreWeightedByTheirQueries() {
    AttentionMeasures one = AttentionMeasures.of(new double[] {1}, new boolean[] {true});
    AttentionMeasures two =
        AttentionMeasures.of(new double[] {0, 1, 1, 0}, new boolean[] {true, false});
    AttentionMeasures mean = AttentionMeasures.NONE.plus(one).plus(two).mean();
    assertThat(mean.distance()).isCloseTo(2 / 3.0, within(1e-12));
    assertThat(mean.self()).isCloseTo(1 / 3.0, within(1e-12));
    assertThat(mean.special()).isCloseTo(2 / 3.0, within(1e-12));
    assertThat(mean.relativeEntropy()).isZero();
  }

  @Test
  void rejectsWeightsOfOtherLengths() {
    assertThatThrownBy(() -> AttentionMeasures.of(new double[3], CLS_WORD_SEP))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("3 weights are not those of 3 tokens");
  }
}

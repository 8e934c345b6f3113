package io.stillhouse.jobs.chart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class ScaleTest {
  @Test
  void ticksAreRound() {
    assertThat(new Scale(Scale.Kind.LINEAR, 0.61, 0.73).ticks(6))
        .usingElementComparator((a, b) -> Math.abs(a - b) < 1e-9 ? 0 : Double.compare(a, b))
        .containsExactly(0.62, 0.64, 0.66, 0.68, 0.7, 0.72);
    assertThat(new Scale(Scale.Kind.LINEAR, 0, 1).ticks(5)).hasSize(6).contains(0.0, 1.0);
    assertThat(new Scale(Scale.Kind.LOGARITHMIC, 1, 1000).ticks(5)).contains(1.0, 10.0, 1000.0);
  }

  @Test
  void narrowLogarithmicAxisHasTicks() {
    assertThat(Scale.logarithmic(15.6e6, 22.7e6).ticks(6)).hasSizeGreaterThan(1);
    assertThat(Scale.logarithmic(4e6).ticks(6)).isNotEmpty();
  }

  @Test
  void equalValuesHaveScale() {
    Scale one = Scale.linear(3, 3);
    assertThat(one.at(3)).isBetween(0.0, 1.0);
    assertThat(one.ticks(6)).isNotEmpty();
    assertThat(Scale.fromZero(0, 0).at(0)).isZero();
  }

  @Test
  void valuesOverLargeRangeHaveLogarithmicScale() {
    assertThat(Scale.of(0.01, 3).kind()).isEqualTo(Scale.Kind.LOGARITHMIC);
    assertThat(Scale.of(1, 3).kind()).isEqualTo(Scale.Kind.LINEAR);
    assertThat(Scale.of(0, 3).kind()).isEqualTo(Scale.Kind.LINEAR);
    assertThat(new Scale(Scale.Kind.LOGARITHMIC, 1, 100).at(10)).isEqualTo(0.5, within(1e-12));
  }

  @Test
  void numbersAreBrief() {
    assertThat(Numbers.brief(0)).isEqualTo("0");
    assertThat(Numbers.brief(1_500_000)).isEqualTo("1.5M");
    assertThat(Numbers.brief(999_999)).isEqualTo("1M");
    assertThat(Numbers.brief(0.6250)).isEqualTo("0.625");
    assertThat(Numbers.brief(-12.34)).isEqualTo("-12.3");
    assertThat(Numbers.brief(5e-5)).isEqualTo("5e-5");
    assertThat(Numbers.brief(Double.NaN)).isEqualTo("NaN");
  }
}

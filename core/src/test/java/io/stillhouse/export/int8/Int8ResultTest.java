package io.stillhouse.export.int8;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class Int8ResultTest {
  @Test
  void keepsPlainVariantIfOthersAreHardlyBetter() {
    assertThat(chosen(1.0, 0.95, 0.92, 0.91)).isEqualTo(Int8Variant.PLAIN);
  }

  @Test
  void choosesSmallestErrorIfItIsClearlyBetter() {
    assertThat(chosen(1.0, 0.89, 0.7, 0.8)).isEqualTo(Int8Variant.SMOOTHED);
  }

  @Test
  void keepsPlainVariantIfErrorsAreNotFinite() {
    double nan = Double.NaN;

    assertThat(chosen(nan, nan, nan, nan)).isEqualTo(Int8Variant.PLAIN);
  }

  private static Int8Variant chosen(
      double plain, double clipped, double smoothed, double smoothedAndClipped) {
    Map<Int8Variant, Double> errors = new EnumMap<>(Int8Variant.class);
    errors.put(Int8Variant.PLAIN, plain);
    errors.put(Int8Variant.CLIPPED, clipped);
    errors.put(Int8Variant.SMOOTHED, smoothed);
    errors.put(Int8Variant.SMOOTHED_AND_CLIPPED, smoothedAndClipped);
    return Int8Result.of(errors).variant();
  }
}

package io.stillhouse.export.int8;

import java.util.Map;
import java.util.Objects;

/**
 * The variant that was written, and the errors of all variants.
 *
 * @param variant the variant that was written
 * @param errors the mean absolute difference between each variant's outputs and those of float32,
 *     on rows that were not used for the statistics; empty if variants were not compared
 */
public record Int8Result(Int8Variant variant, Map<Int8Variant, Double> errors) {
  /**
   * Another variant is chosen only if its error is below this share of the plain variant's.
   * Smoothed models compute additional multiplications, and a few dozen rows cannot distinguish
   * smaller differences from chance.
   */
  private static final double MARGIN = 0.9;

  public Int8Result {
    errors = Map.copyOf(errors);
  }

  /**
   * Chooses the variant with the smallest error, or the plain one if no other error is at least a
   * tenth smaller.
   *
   * @param errors the error of each variant
   */
  static Int8Result of(Map<Int8Variant, Double> errors) {
    Int8Variant best = Int8Variant.PLAIN;
    double smallest = MARGIN * Objects.requireNonNull(errors.get(Int8Variant.PLAIN));
    for (Map.Entry<Int8Variant, Double> each : errors.entrySet()) {
      if (each.getValue() < smallest) {
        smallest = each.getValue();
        best = each.getKey();
      }
    }
    return new Int8Result(best, errors);
  }
}

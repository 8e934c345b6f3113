package io.stillhouse.jobs.chart;

import static io.stillhouse.error.Text.format;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** Short forms of numbers, for axes and tables. */
public final class Numbers {
  private static final double[] SIZES = {1e12, 1e9, 1e6, 1e3};
  private static final String[] SIGNS = {"T", "G", "M", "k"};

  private Numbers() {}

  /**
   * Returns a number in at most about six characters: 1,500,000 as {@code 1.5M}, and small numbers
   * with three significant digits.
   */
  public static String brief(double value) {
    double size = Math.abs(value);
    if (!Double.isFinite(value) || size == 0) {
      return size == 0 ? "0" : String.valueOf(value);
    }
    for (int at = 0; at < SIZES.length; at++) {
      if (size >= SIZES[at] * 0.9995) {
        return significant(value / SIZES[at]) + SIGNS[at];
      }
    }
    return size < 1e-3 ? exponent(value) : significant(value);
  }

  private static String significant(double value) {
    int before = (int) Math.floor(Math.log10(Math.abs(value))) + 1;
    return trimmed(
        BigDecimal.valueOf(value)
            .setScale(Math.max(0, 3 - before), RoundingMode.HALF_EVEN)
            .toPlainString());
  }

  private static String exponent(double value) {
    String[] parts = format("%.2e", value).split("e");
    return trimmed(parts[0]) + "e" + Integer.parseInt(parts[1]);
  }

  private static String trimmed(String decimal) {
    return decimal.contains(".") ? decimal.replaceAll("0+$", "").replaceAll("\\.$", "") : decimal;
  }
}

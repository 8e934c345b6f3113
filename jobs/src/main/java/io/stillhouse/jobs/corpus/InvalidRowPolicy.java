package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.read.Encoding;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Optional;

/**
 * What a command does with invalid rows, wherever they are found: the reader of the files, the
 * tokenizer, or the teacher.
 *
 * @param skip whether a few of them are left out
 * @param most the largest share that is left out
 */
public record InvalidRowPolicy(boolean skip, double most) {
  private static final String ENCODING =
      ", or set corpus.encoding if the files are in another encoding";

  /** Returns the policy of a recipe. */
  public static InvalidRowPolicy of(Settings settings) {
    boolean skip = settings.get(Options.INVALID_ROWS).equals("skip");
    return new InvalidRowPolicy(skip, settings.get(Options.MAX_INVALID));
  }

  /** Returns whether a number of rows may be left out. */
  public boolean allows(long invalid, long rows) {
    return skip ? isAtMost(invalid, rows) : invalid == 0;
  }

  private boolean isAtMost(long invalid, long rows) {
    BigDecimal allowed = BigDecimal.valueOf(most).multiply(BigDecimal.valueOf(rows));
    return BigDecimal.valueOf(invalid).compareTo(allowed) <= 0;
  }

  /**
   * Requires that there are no more invalid rows than allowed.
   *
   * @param rows number of all rows
   * @throws io.stillhouse.error.StillhouseException naming the reasons, and the setting with which
   *     the rows would be left out
   */
  public void check(InvalidRows invalid, long rows) {
    long count = invalid.count();
    if (allows(count, rows)) {
      return;
    }
    boolean encoded = invalid.kinds().keySet().stream().anyMatch(Encoding::isProblem);
    String correct = "correct them" + (encoded ? ENCODING : "");
    String share = share(count, rows);
    if (skip) {
      throw Errors.invalid(
          format(
              "%,d of %,d rows are invalid, more than corpus.max-invalid (%s) allows: %s",
              count, rows, most, invalid.inWords()),
          format("%s, or leave them out with corpus.max-invalid=%s", correct, share));
    }
    throw Errors.invalid(
        format("%,d of %,d rows are invalid: %s", count, rows, invalid.inWords()),
        format(
            "%s, or leave them out with corpus.invalid-rows=skip%s",
            correct, isAtMost(count, rows) ? "" : " corpus.max-invalid=" + share));
  }

  /** Returns a share that allows this many rows, rounded up to two digits. */
  private static String share(long count, long rows) {
    return BigDecimal.valueOf(count)
        .divide(BigDecimal.valueOf(rows), new MathContext(2, RoundingMode.CEILING))
        .stripTrailingZeros()
        .toPlainString();
  }

  /** Returns the last line of a command that has left rows out, or empty if it has not. */
  public static Optional<String> line(InvalidRows invalid, long rows) {
    return invalid.count() == 0
        ? Optional.empty()
        : Optional.of(
            format("left out %,d of %,d rows: %s", invalid.count(), rows, invalid.inWords()));
  }
}

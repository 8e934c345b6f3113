package io.stillhouse.error;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Formats text in the same way on every machine. {@link String#formatted} uses the locale of the
 * process: with {@code fa_IR}, {@code %08d} writes Persian digits into the name of a file, which is
 * then not found by a process with another locale.
 */
public final class Text {
  private Text() {}

  /**
   * Returns formatted text with ASCII digits and a decimal point.
   *
   * @param format as in {@link String#format(String, Object...)}
   */
  @FormatMethod
  public static String format(@FormatString String format, @Nullable Object... arguments) {
    return String.format(Locale.ROOT, format, arguments);
  }
}

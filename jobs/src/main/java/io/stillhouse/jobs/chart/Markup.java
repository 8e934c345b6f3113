package io.stillhouse.jobs.chart;

import io.stillhouse.error.Secrets;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/** Text inside HTML and SVG. */
public final class Markup {
  private Markup() {}

  /**
   * Returns text as the content of an element or of an attribute in quotes. Secret values and
   * control characters are replaced.
   */
  public static String escape(String text) {
    String shown = Secrets.hiddenIn(text);
    StringBuilder escaped = new StringBuilder(shown.length() + 16);
    shown.codePoints().forEach(point -> append(point, escaped));
    return escaped.toString();
  }

  private static void append(int point, StringBuilder to) {
    switch (point) {
      case '&' -> to.append("&amp;");
      case '<' -> to.append("&lt;");
      case '>' -> to.append("&gt;");
      case '"' -> to.append("&quot;");
      case '\'' -> to.append("&#39;");
      default -> to.appendCodePoint(isAllowed(point) ? point : '\uFFFD');
    }
  }

  /** Returns whether a character may occur in HTML: no control character, and no half of a pair. */
  private static boolean isAllowed(int point) {
    boolean control = Character.isISOControl(point) && point != '\n' && point != '\t';
    boolean half = point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE;
    return !control && !half;
  }

  /** Returns the rules that charts need, for a {@code style} element. */
  public static String css() {
    try (InputStream file = Markup.class.getResourceAsStream("chart.css")) {
      return new String(
          Objects.requireNonNull(file, "chart.css").readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("resource file chart.css cannot be read", e);
    }
  }
}

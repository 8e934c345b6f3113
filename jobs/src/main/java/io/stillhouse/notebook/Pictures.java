package io.stillhouse.notebook;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.chart.ChartText;
import io.stillhouse.jobs.chart.Markup;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/** Puts SVG into HTML for a notebook, whose other content must not change. */
final class Pictures {
  private static final Pattern WIDTH = Pattern.compile("viewBox=\"0 0 ([0-9.]+) ");

  private Pictures() {}

  /** Returns the text of a chart, with an id that equal charts share. */
  static ChartText text(String title, String description, String x, String y) {
    String id = format("stillhouse-%08x", (title + description).hashCode());
    return new ChartText(id, title, description, x, y);
  }

  static List<String> numbers(int first, int last) {
    return IntStream.rangeClosed(first, last).mapToObj(String::valueOf).toList();
  }

  /** Returns a picture that needs no style sheet, in its own width. */
  static String plain(String svg) {
    return format("<div style=\"max-width:%spx\">%s</div>", width(svg), svg);
  }

  /** Returns a chart with its style sheet, which applies to it alone, below its title. */
  static String chart(ChartText text, String svg) {
    return format(
        "<figure class=\"stillhouse\" style=\"max-width:%spx;margin:0\"><style>%s .stillhouse {%s}"
            + "</style><figcaption>%s</figcaption>%s</figure>",
        width(svg), css(), Markup.css(), Markup.escape(text.title()), svg);
  }

  /** Returns the reason why there is no picture. */
  static String none(String reason) {
    return format("<p>%s</p>", Markup.escape(reason));
  }

  private static String width(String svg) {
    Matcher width = WIDTH.matcher(svg);
    if (!width.find()) {
      throw new IllegalStateException("a picture has no viewBox");
    }
    return width.group(1);
  }

  private static String css() {
    try (InputStream file = Pictures.class.getResourceAsStream("notebook.css")) {
      return new String(
          Objects.requireNonNull(file, "notebook.css").readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("resource file notebook.css cannot be read", e);
    }
  }
}

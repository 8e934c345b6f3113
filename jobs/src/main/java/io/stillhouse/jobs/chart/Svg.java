package io.stillhouse.jobs.chart;

import static io.stillhouse.error.Text.format;

/** Writes an SVG element. Attributes are given as names and values in turn. */
final class Svg {
  private final StringBuilder out = new StringBuilder();

  private Svg() {}

  /** Opens an image with a title and a description. */
  static Svg open(ChartText text, double width, double height) {
    Svg svg = new Svg();
    String titles = text.id() + "-title " + text.id() + "-text";
    svg.open(
        "svg",
        "class",
        "chart",
        "viewBox",
        format("0 0 %s %s", number(width), number(height)),
        "role",
        "img",
        "aria-labelledby",
        titles);
    svg.named("title", text.id() + "-title", text.title());
    return svg.named("desc", text.id() + "-text", text.description());
  }

  private Svg named(String element, String id, String content) {
    return open(element, "id", id).content(content).close(element);
  }

  Svg open(String element, Object... attributes) {
    start(element, attributes);
    out.append('>');
    return this;
  }

  Svg close(String element) {
    out.append("</").append(element).append('>');
    return this;
  }

  /** Adds an element without content. */
  Svg element(String element, Object... attributes) {
    start(element, attributes);
    out.append("/>");
    return this;
  }

  /** Adds a text that is shown when the pointer is over the element that is open. */
  Svg hint(String text) {
    return open("title").content(text).close("title");
  }

  Svg text(String content, double x, double y, Object... attributes) {
    start("text", "x", x, "y", y);
    attributes(attributes);
    out.append('>');
    return content(content).close("text");
  }

  private Svg content(String text) {
    out.append(Markup.escape(text));
    return this;
  }

  private void start(String element, Object... attributes) {
    out.append('<').append(element);
    attributes(attributes);
  }

  private void attributes(Object... attributes) {
    for (int at = 0; at < attributes.length; at += 2) {
      Object value = attributes[at + 1];
      String text = value instanceof Number ? number(((Number) value).doubleValue()) : "" + value;
      out.append(' ').append(attributes[at]).append("=\"").append(Markup.escape(text)).append('"');
    }
  }

  /** Returns a coordinate with at most one decimal. */
  static String number(double value) {
    String text = format("%.1f", value);
    return text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
  }

  /** Closes the image and returns it. */
  String end() {
    return close("svg").out.toString();
  }
}

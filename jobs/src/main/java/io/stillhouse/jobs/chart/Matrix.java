package io.stillhouse.jobs.chart;

import static io.stillhouse.error.Text.format;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Arrays;
import java.util.List;

/**
 * A table of numbers in any range as a picture: the larger a number, the more opaque its cell.
 * Labels of any length stand on both axes, a legend below. Every cell has a tooltip, and shows its
 * number if there is room.
 *
 * <p>The picture needs no style sheet. Text has the color of the surrounding page, and cells a
 * mid-tone, so that it is readable on light and dark backgrounds.
 *
 * @param text the title and the names of the axes
 * @param rows labels of the rows, from top to bottom
 * @param columns labels of the columns
 * @param values one number for each row and column, shape (rows, columns); NaN where there is none
 * @param shades the meaning of opacity
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record Matrix(
    ChartText text, List<String> rows, List<String> columns, double[][] values, Shades shades) {
  /** A mid-tone on which both black and white text have a contrast of at least 4.5. */
  static final String BLUE = "#1976d2";

  private static final double CELL = 24;
  private static final double MARGIN = 8;
  private static final double FONT = 12;
  private static final double VALUE_FONT = 11;
  private static final double HEAD = 44;
  private static final double LEGEND_WIDTH = 120;
  private static final double LEGEND_HEIGHT = 52;
  private static final int LEGEND_STEPS = 6;
  private static final int LABEL_CHARACTERS = 24;
  private static final int MAX_NUMBERS = 13;

  /**
   * The range of the numbers.
   *
   * @param from the number of a transparent cell
   * @param to the number of an opaque cell, larger than {@code from}
   * @param decimals decimals of the numbers that are shown
   * @param unit what the numbers are, such as {@code nats}
   */
  public record Shades(double from, double to, int decimals, String unit) {
    /** Returns shades from 0 to the largest number. */
    public static Shades upTo(double[][] values, int decimals, String unit) {
      double largest =
          Arrays.stream(values)
              .flatMapToDouble(Arrays::stream)
              .filter(Double::isFinite)
              .max()
              .orElse(0);
      return new Shades(0, largest > 0 ? largest : 1, decimals, unit);
    }

    private double opacity(double value) {
      return Math.min(1, Math.max(0, (value - from) / (to - from)));
    }

    private String text(double value) {
      return Double.isFinite(value)
          ? BigDecimal.valueOf(value).setScale(decimals, RoundingMode.HALF_EVEN).toPlainString()
          : "–";
    }

    /** Returns a number for a cell, in which zeros and leading zeros only distract. */
    private String brief(double value) {
      String text = text(value);
      if (Double.isFinite(value) && new BigDecimal(text).signum() == 0) {
        return "0";
      }
      return text.startsWith("0.") ? text.substring(1) : text;
    }
  }

  public Matrix {
    rows = List.copyOf(rows);
    columns = List.copyOf(columns);
    int width = columns.size();
    if (values.length != rows.size()
        || !Arrays.stream(values).allMatch(row -> row.length == width)) {
      throw new IllegalArgumentException("the values do not fit the labels");
    }
  }

  /** Returns the picture, as SVG. */
  public String svg() {
    double left = MARGIN + 18 + widest(rows) + 8;
    double top = HEAD + 10 + (tilted() ? Math.max(24, 0.78 * widest(columns) + 10) : FONT + 6);
    double right = left + columns.size() * cellWidth();
    double bottom = top + rows.size() * CELL;
    double overhang = tilted() ? 0.66 * widest(columns) : 0;
    double legend = left + LEGEND_WIDTH + 20 + width(shades.unit(), FONT);
    double title = 2 * MARGIN + 1.1 * width(text.title(), 14);
    double width = Math.max(right + Math.max(MARGIN, overhang), Math.max(legend, title));
    Svg svg = open(text, width, bottom + LEGEND_HEIGHT);
    labels(svg, left, top);
    svg.text(text.x() + " →", left, HEAD - 2, "opacity", "0.75");
    double middle = top + (bottom - top) / 2;
    svg.text(
        "← " + text.y(),
        MARGIN + 8,
        middle,
        "opacity",
        "0.75",
        "text-anchor",
        "middle",
        "transform",
        format("rotate(-90 %.1f %.1f)", MARGIN + 8, middle));
    for (int row = 0; row < values.length; row++) {
      for (int column = 0; column < values[row].length; column++) {
        cell(svg, left + column * cellWidth(), top + row * CELL, row, column);
      }
    }
    legend(svg, left, bottom + 18);
    return svg.close("g").end();
  }

  /** Opens a picture of a width that fits its content, with its title. */
  static Svg open(ChartText text, double width, double height) {
    Svg svg = Svg.open(text, width, height);
    svg.open(
        "g", "fill", "currentColor", "font-family", "system-ui, sans-serif", "font-size", FONT);
    return svg.text(text.title(), MARGIN, 20, "font-size", 14, "font-weight", 600);
  }

  private void labels(Svg svg, double left, double top) {
    for (int row = 0; row < rows.size(); row++) {
      double y = top + (row + 0.5) * CELL + 4;
      svg.text(cut(rows.get(row)), left - 6, y, "text-anchor", "end");
    }
    for (int column = 0; column < columns.size(); column++) {
      double x = left + (column + 0.5) * cellWidth();
      double y = top - 6;
      if (tilted()) {
        String turn = format("rotate(-50 %.1f %.1f)", x + 3, y);
        svg.text(cut(columns.get(column)), x + 3, y, "transform", turn);
      } else {
        svg.text(columns.get(column), x, y, "text-anchor", "middle");
      }
    }
  }

  private void cell(Svg svg, double x, double y, int row, int column) {
    double value = values[row][column];
    double opacity = Double.isNaN(value) ? 0 : shades.opacity(value);
    svg.open("g");
    svg.hint(
        format(
            "%s: %s, %s: %s: %s %s",
            text.y(),
            rows.get(row),
            text.x(),
            columns.get(column),
            shades.text(value),
            shades.unit()));
    rect(svg, x + 0.5, y + 0.5, cellWidth() - 1, CELL - 1, opacity);
    if (hasNumbers()) {
      svg.text(
          shades.brief(value),
          x + cellWidth() / 2,
          y + CELL / 2 + 4,
          "text-anchor",
          "middle",
          "font-size",
          VALUE_FONT,
          "opacity",
          shades.brief(value).equals("0") ? "0.5" : "1");
    }
    svg.close("g");
  }

  private static void rect(
      Svg svg, double x, double y, double width, double height, double opacity) {
    svg.element(
        "rect",
        "x",
        x,
        "y",
        y,
        "width",
        width,
        "height",
        height,
        "fill",
        BLUE,
        "fill-opacity",
        format("%.2f", opacity),
        "stroke",
        "currentColor",
        "stroke-opacity",
        "0.15");
  }

  private void legend(Svg svg, double x, double y) {
    double step = LEGEND_WIDTH / LEGEND_STEPS;
    for (int n = 0; n < LEGEND_STEPS; n++) {
      rect(svg, x + n * step, y, step, 10, n / (LEGEND_STEPS - 1.0));
    }
    svg.text(shades.text(shades.from()), x, y + 24, "font-size", VALUE_FONT);
    svg.text(
        shades.text(shades.to()),
        x + LEGEND_WIDTH,
        y + 24,
        "font-size",
        VALUE_FONT,
        "text-anchor",
        "end");
    svg.text(shades.unit(), x + LEGEND_WIDTH + 10, y + 9, "opacity", "0.75");
  }

  private boolean hasNumbers() {
    return columns.size() <= MAX_NUMBERS;
  }

  /** Returns whether the labels of columns are too long to stand side by side. */
  private boolean tilted() {
    return columns.stream().anyMatch(label -> width(label, FONT) > cellWidth());
  }

  private double cellWidth() {
    double widest =
        Math.max(
            width(shades.text(shades.to()), VALUE_FONT),
            width(shades.text(shades.from()), VALUE_FONT));
    return hasNumbers() ? Math.max(28, widest + 8) : CELL;
  }

  private static double widest(List<String> labels) {
    return labels.stream().mapToDouble(label -> width(cut(label), FONT)).max().orElse(0);
  }

  private static String cut(String label) {
    int points = label.codePointCount(0, label.length());
    return points <= LABEL_CHARACTERS
        ? label
        : label.substring(0, label.offsetByCodePoints(0, LABEL_CHARACTERS - 1)) + "…";
  }

  /** Returns the width of text, roughly: Chinese and the like take about twice the width. */
  static double width(String text, double font) {
    return font * text.codePoints().mapToDouble(point -> point < 0x1100 ? 0.58 : 1.05).sum();
  }
}

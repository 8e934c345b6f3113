package io.stillhouse.jobs.chart;

import static io.stillhouse.error.Text.format;

import java.util.List;

/** A matrix of numbers from 0 to 1 as colored cells, with their values. */
public final class HeatMap {
  private static final double LEFT = 58;
  private static final double TOP = 10;
  private static final double BOTTOM = 44;
  private static final double LEGEND = 66;
  private static final double WIDEST = 46;
  private static final double TALLEST = 26;
  private static final double MOST = 480;

  /** The colors of 0, 0.25, 0.5, 0.75 and 1: their lightness falls steadily. */
  private static final int[][] COLORS = {
    {247, 251, 255}, {198, 219, 239}, {107, 174, 214}, {33, 113, 181}, {8, 48, 107}
  };

  private HeatMap() {}

  /**
   * Returns the heat map.
   *
   * @param rows the names of the rows, the lowest first
   * @param columns the names of the columns
   * @param values shape (rows, columns); cells that are NaN are empty
   */
  public static String of(
      ChartText text, List<String> rows, List<String> columns, double[][] values) {
    double cell = Math.min(WIDEST, (MOST - LEFT - LEGEND) / columns.size());
    double line = Math.min(TALLEST, 420.0 / rows.size());
    double width = LEFT + cell * columns.size() + LEGEND;
    double bottom = TOP + line * rows.size();
    Svg svg = Svg.open(text, MOST, bottom + BOTTOM);
    double shift = (MOST - width) / 2;
    svg.open("g", "transform", "translate(" + Svg.number(shift) + " 0)");
    for (int row = 0; row < rows.size(); row++) {
      double y = bottom - line * (row + 1);
      for (int column = 0; column < columns.size(); column++) {
        String hint = rows.get(row) + ", " + columns.get(column);
        cell(svg, hint, values[row][column], LEFT + cell * column, y, cell, line);
      }
    }
    svg.open("g", "class", "axis");
    for (int row = 0; row < rows.size(); row++) {
      svg.text(rows.get(row), LEFT - 6, bottom - line * (row + 0.5) + 4, "class", "end");
    }
    for (int column = 0; column < columns.size(); column++) {
      svg.text(columns.get(column), LEFT + cell * (column + 0.5), bottom + 16, "class", "middle");
    }
    double center = LEFT + cell * columns.size() / 2;
    svg.text(text.x(), center, bottom + 36, "class", "middle name");
    double middle = TOP + (bottom - TOP) / 2;
    svg.text(
        text.y(),
        14,
        middle,
        "class",
        "middle name",
        "transform",
        "rotate(-90 14 " + Svg.number(middle) + ")");
    svg.close("g");
    legend(svg, LEFT + cell * columns.size() + 18, bottom);
    return svg.close("g").end();
  }

  private static void cell(
      Svg svg, String hint, double value, double x, double y, double width, double height) {
    if (Double.isNaN(value)) {
      return;
    }
    svg.open("g").hint(format("%s: %.3f", hint, value));
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
        "class",
        "cell",
        "fill",
        color(value));
    if (width >= 26 && height >= 13) {
      String ink = value > 0.55 ? "#ffffff" : "#1b1f24";
      svg.text(
          format("%.2f", value),
          x + width / 2,
          y + height / 2 + 4,
          "class",
          "middle value",
          "style",
          "fill:" + ink);
    }
    svg.close("g");
  }

  private static void legend(Svg svg, double x, double bottom) {
    double height = bottom - TOP;
    int steps = 40;
    for (int step = 0; step < steps; step++) {
      svg.element(
          "rect",
          "x",
          x,
          "y",
          bottom - height * (step + 1) / steps,
          "width",
          12,
          "height",
          height / steps + 0.5,
          "fill",
          color((step + 0.5) / steps));
    }
    svg.open("g", "class", "axis");
    svg.text("0", x + 17, bottom);
    svg.text("1", x + 17, TOP + 9);
    svg.close("g");
  }

  /** Returns the color of a value; values outside of 0..1 have that of the nearer end. */
  static String color(double value) {
    double place = Math.max(0, Math.min(1, value)) * (COLORS.length - 1);
    int from = Math.min(COLORS.length - 2, (int) place);
    double share = place - from;
    int[] rgb = new int[3];
    for (int part = 0; part < 3; part++) {
      double low = COLORS[from][part];
      rgb[part] = (int) Math.round(low + share * (COLORS[from + 1][part] - low));
    }
    return format("#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
  }
}

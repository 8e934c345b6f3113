package io.stillhouse.jobs.chart;

import java.util.List;

/** The axes of a chart, and the positions of values between them. */
final class Frame {
  static final double WIDTH = 480;
  static final double HEIGHT = 300;
  private static final double LEFT = 62;
  private static final double TOP = 12;
  private static final double BOTTOM = 46;
  private static final int TICKS = 6;

  private final ChartText text;
  private final Scale x;
  private final Scale y;
  private final double right;

  /**
   * @param right space for labels at the right of the chart
   */
  Frame(ChartText text, Scale x, Scale y, double right) {
    this.text = text;
    this.x = x;
    this.y = y;
    this.right = right;
  }

  double x(double value) {
    return LEFT + x.at(value) * (WIDTH - LEFT - right);
  }

  double y(double value) {
    return HEIGHT - BOTTOM - y.at(value) * (HEIGHT - BOTTOM - TOP);
  }

  double endOfX() {
    return WIDTH - right;
  }

  double endOfY() {
    return TOP;
  }

  double startOfY() {
    return HEIGHT - BOTTOM;
  }

  /** Opens an image and draws the grid, the axes and their labels. */
  Svg open() {
    Svg svg = Svg.open(text, WIDTH, HEIGHT);
    svg.open("g", "class", "grid");
    List<Double> rows = y.ticks(TICKS);
    for (double tick : rows) {
      svg.element("path", "d", "M" + Svg.number(LEFT) + " " + Svg.number(y(tick)) + "H" + end());
    }
    svg.close("g");
    svg.open("g", "class", "axis");
    svg.element("path", "d", "M" + Svg.number(LEFT) + " " + Svg.number(startOfY()) + "H" + end());
    for (double tick : rows) {
      svg.text(Numbers.brief(tick), LEFT - 6, y(tick) + 4, "class", "end");
    }
    double last = Double.NEGATIVE_INFINITY;
    for (double tick : x.ticks(TICKS)) {
      String label = Numbers.brief(tick);
      if (x(tick) - last > 7.0 * label.length() + 8) {
        svg.element("path", "d", "M" + Svg.number(x(tick)) + " " + Svg.number(startOfY()) + "v4");
        svg.text(label, x(tick), startOfY() + 17, "class", "middle");
        last = x(tick);
      }
    }
    svg.text(text.x(), (LEFT + endOfX()) / 2, HEIGHT - 8, "class", "middle name");
    double middle = (startOfY() + endOfY()) / 2;
    svg.text(
        text.y(),
        12,
        middle,
        "class",
        "middle name",
        "transform",
        "rotate(-90 12 " + Svg.number(middle) + ")");
    return svg.close("g");
  }

  private String end() {
    return Svg.number(endOfX());
  }
}

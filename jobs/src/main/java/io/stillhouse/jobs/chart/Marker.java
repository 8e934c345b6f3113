package io.stillhouse.jobs.chart;

/** The marks of series, which differ in shape. */
final class Marker {
  private static final String[] SHAPES = {
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", // circle
    "M-3.5 -3.5h7v7h-7z", // square
    "M0 -4.8L4.6 3.6H-4.6z", // triangle
    "M0 -5L5 0L0 5L-5 0z", // diamond
    "M0 4.8L4.6 -3.6H-4.6z", // triangle, pointing down
    "M-4.5 -1.5h3v-3h3v3h3v3h-3v3h-3v-3h-3z", // plus
    "M-4.4 -2.2L-2.2 -4.4L0 -2.2L2.2 -4.4L4.4 -2.2L2.2 0L4.4 2.2L2.2 4.4L0 2.2L-2.2 4.4L-4.4 2.2"
        + "L-2.2 0z", // cross
    "M-5 -2h10v4h-10z" // bar
  };

  private Marker() {}

  static void draw(Svg svg, int style, double x, double y) {
    svg.element(
        "path",
        "class",
        "mark",
        "d",
        SHAPES[style],
        "transform",
        "translate(" + Svg.number(x) + " " + Svg.number(y) + ")");
  }
}

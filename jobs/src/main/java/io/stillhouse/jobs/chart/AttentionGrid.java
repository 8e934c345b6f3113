package io.stillhouse.jobs.chart;

import static io.stillhouse.error.Text.format;

import java.util.Map;

/**
 * The attention maps of all heads for one text as small multiples: a row of maps for each layer. In
 * a map, a line is a query and a column is a key, both from the first token to the last. Like a
 * {@link Matrix}, the picture needs no style sheet.
 *
 * @param text the title
 * @param tokens number of tokens, L
 * @param weights weights by layer and head, both from 1, shape (L, L), row-major
 */
public record AttentionGrid(
    ChartText text, int tokens, Map<Integer, Map<Integer, double[]>> weights) {
  private static final int LEVELS = 5;

  /** Smaller weights, which are those of most cells, are left blank. */
  private static final double SMALLEST = 0.05;

  private static final double MAP = 56;
  private static final double STEP = 64;
  private static final double LEFT = 40;
  private static final double TOP = 60;

  /** Returns the picture, as SVG. */
  public String svg() {
    int heads = weights.values().stream().mapToInt(Map::size).max().orElse(0);
    String legend = format("opaque: all of a query's attention, blank: less than %.2f", SMALLEST);
    double width =
        Math.max(
            LEFT + heads * STEP,
            LEFT + Math.max(Matrix.width(text.title(), 15), Matrix.width(legend, 12)));
    double height = TOP + weights.size() * STEP + 20;
    Svg svg = Matrix.open(text, width, height);
    svg.text("head →", LEFT, 38, "opacity", "0.75");
    svg.text("layer", 4, TOP - 6, "opacity", "0.75");
    for (int head = 1; head <= heads; head++) {
      double x = LEFT + (head - 1) * STEP + MAP / 2;
      svg.text(String.valueOf(head), x, TOP - 6, "text-anchor", "middle");
    }
    double y = TOP;
    for (Map.Entry<Integer, Map<Integer, double[]>> layer : weights.entrySet()) {
      String number = String.valueOf(layer.getKey());
      svg.text(number, LEFT - 8, y + MAP / 2 + 4, "text-anchor", "end");
      for (Map.Entry<Integer, double[]> head : layer.getValue().entrySet()) {
        String hint = format("layer %s, head %d", number, head.getKey());
        map(svg, LEFT + (head.getKey() - 1) * STEP, y, hint, head.getValue());
      }
      y += STEP;
    }
    svg.text(legend, LEFT, height - 6, "font-size", 11, "opacity", "0.75");
    return svg.close("g").end();
  }

  private void map(Svg svg, double x, double y, String hint, double[] weightsLL) {
    svg.open("g", "fill", Matrix.BLUE, "transform", format("translate(%.1f %.1f)", x, y));
    svg.hint(hint);
    svg.element(
        "rect",
        "width",
        MAP,
        "height",
        MAP,
        "fill-opacity",
        "0.04",
        "stroke",
        "currentColor",
        "stroke-opacity",
        "0.3");
    for (int level = 0; level < LEVELS; level++) {
      String cells = cells(weightsLL, level);
      if (!cells.isEmpty()) {
        double opacity = (level + 1.0) / LEVELS;
        svg.element("path", "d", cells, "fill-opacity", format("%.1f", opacity));
      }
    }
    svg.close("g");
  }

  /** Returns the path of the cells of one level of opacity. */
  private String cells(double[] weightsLL, int level) {
    double side = MAP / tokens;
    StringBuilder path = new StringBuilder();
    for (int query = 0; query < tokens; query++) {
      for (int key = 0; key < tokens; key++) {
        double weight = weightsLL[query * tokens + key];
        if (weight >= SMALLEST && Math.min(LEVELS - 1, (int) (weight * LEVELS)) == level) {
          path.append(
              format("M%.1f %.1fh%.1fv%.1fh-%.1fz", key * side, query * side, side, side, side));
        }
      }
    }
    return path.toString();
  }
}

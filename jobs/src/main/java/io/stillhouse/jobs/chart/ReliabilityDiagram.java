package io.stillhouse.jobs.chart;

import static io.stillhouse.error.Text.format;

import io.stillhouse.evaluate.Calibration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * How often predictions are right, by their probability and model. A perfectly calibrated model is
 * on the diagonal.
 */
public final class ReliabilityDiagram {
  private static final int FEWEST_ROWS = 5;

  private ReliabilityDiagram() {}

  /**
   * A model.
   *
   * @param style as in {@link Series}
   */
  public record Model(String name, int style, Calibration calibration) {}

  /** Returns the diagram. Bins of fewer than five predictions are left out, as noise. */
  public static String of(ChartText text, List<Model> models) {
    Scale share = new Scale(Scale.Kind.LINEAR, 0, 1);
    int longest = models.stream().mapToInt(model -> model.name().length()).max().orElse(0);
    Frame frame = new Frame(text, share, share, Math.min(120, 14 + 6.2 * longest));
    Svg svg = frame.open();
    svg.element(
        "path",
        "class",
        "diagonal",
        "d",
        format(
            "M%s %sL%s %s",
            Svg.number(frame.x(0)),
            Svg.number(frame.y(0)),
            Svg.number(frame.x(1)),
            Svg.number(frame.y(1))));
    for (Model model : models) {
      draw(svg, frame, model);
    }
    List<Model> order = new ArrayList<>(models);
    order.sort(Comparator.comparingInt(Model::style));
    for (int at = 0; at < order.size(); at++) {
      svg.open("g", "class", "s s" + order.get(at).style());
      Marker.draw(svg, order.get(at).style(), frame.endOfX() + 12, frame.endOfY() + 16.0 * at + 4);
      svg.text(order.get(at).name(), frame.endOfX() + 20, frame.endOfY() + 16.0 * at + 8);
      svg.close("g");
    }
    return svg.end();
  }

  private static void draw(Svg svg, Frame frame, Model model) {
    svg.open("g", "class", "s s" + model.style());
    StringBuilder path = new StringBuilder();
    List<Calibration.Bin> bins =
        model.calibration().bins().stream().filter(bin -> bin.rows() >= FEWEST_ROWS).toList();
    for (Calibration.Bin bin : bins) {
      path.append(path.isEmpty() ? 'M' : 'L');
      path.append(Svg.number(frame.x(bin.meanProbability()))).append(' ');
      path.append(Svg.number(frame.y(bin.rate())));
    }
    svg.element("path", "d", path.toString());
    for (Calibration.Bin bin : bins) {
      svg.open("g")
          .hint(
              format(
                  "%s: %d predictions of %.2f on average, of which %.2f are right",
                  model.name(), bin.rows(), bin.meanProbability(), bin.rate()));
      Marker.draw(svg, model.style(), frame.x(bin.meanProbability()), frame.y(bin.rate()));
      svg.close("g");
    }
    svg.close("g");
  }
}

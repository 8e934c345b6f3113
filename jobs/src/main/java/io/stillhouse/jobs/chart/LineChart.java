package io.stillhouse.jobs.chart;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.DoubleStream;

/** Lines over a common axis, each labelled at its end. */
public final class LineChart {
  private static final double LINE_HEIGHT = 13;
  private static final double CHARACTER = 6.2;
  private static final int LONGEST_LABEL = 18;

  private LineChart() {}

  /** Where the vertical axis begins. */
  public enum Base {
    /** At 0, so that heights can be compared. */
    ZERO,
    /** Below the smallest value; the axis is logarithmic if the values span a factor of 30. */
    VALUES
  }

  /** Returns the chart of some series; faint ones have no label and are drawn first. */
  public static String of(ChartText text, Base base, List<Series> series) {
    Scale x = range(series.stream().flatMapToDouble(each -> DoubleStream.of(each.x())).toArray());
    double[] values = series.stream().flatMapToDouble(LineChart::ends).toArray();
    Scale y = base == Base.ZERO ? Scale.fromZero(values) : Scale.of(values);
    List<Series> labelled = series.stream().filter(each -> each.style() != Series.FAINT).toList();
    double longest =
        labelled.stream().mapToInt(each -> label(each.name()).length()).max().orElse(0);
    Frame frame = new Frame(text, x, y, 12 + CHARACTER * longest);
    Svg svg = frame.open();
    List<Series> order = new ArrayList<>(series);
    order.sort(Comparator.comparing(each -> each.style() != Series.FAINT));
    for (Series each : order) {
      svg.open("g", "class", each.classes());
      svg.open("path", "d", path(frame, each)).close("path");
      svg.close("g");
    }
    labels(svg, frame, labelled);
    return svg.end();
  }

  /** Returns a linear scale without space, so that lines begin at the axis. */
  private static Scale range(double[] values) {
    double min = DoubleStream.of(values).min().orElse(0);
    double max = DoubleStream.of(values).max().orElse(1);
    double start = min < 0.1 * max ? 0 : min;
    return new Scale(Scale.Kind.LINEAR, start, max > start ? max : start + 1);
  }

  /**
   * Returns the values without the highest hundredth, which may be far from all others at the start
   * of a training.
   */
  private static DoubleStream ends(Series series) {
    double[] sorted = DoubleStream.of(series.y()).filter(Double::isFinite).sorted().toArray();
    return DoubleStream.of(sorted).limit(sorted.length - sorted.length / 100);
  }

  private static String path(Frame frame, Series series) {
    StringBuilder path = new StringBuilder();
    boolean gap = true;
    for (int at = 0; at < series.x().length; at++) {
      double y = frame.y(series.y()[at]);
      if (Double.isFinite(series.y()[at]) && Double.isFinite(y)) {
        double shown = Math.max(frame.endOfY() - 4, Math.min(frame.startOfY() + 4, y));
        path.append(gap ? 'M' : 'L').append(Svg.number(frame.x(series.x()[at])));
        path.append(' ').append(Svg.number(shown));
        gap = false;
      } else {
        gap = true;
      }
    }
    return path.toString();
  }

  /** Writes a marker and a name at the end of each line, moved apart where they would overlap. */
  private static void labels(Svg svg, Frame frame, List<Series> labelled) {
    List<Series> order = new ArrayList<>(labelled);
    order.removeIf(each -> each.last() < 0);
    order.sort(Comparator.comparingDouble(each -> frame.y(each.y()[each.last()])));
    double[] places = new double[order.size()];
    for (int at = 0; at < places.length; at++) {
      double own = frame.y(order.get(at).y()[order.get(at).last()]);
      places[at] = at == 0 ? own : Math.max(own, places[at - 1] + LINE_HEIGHT);
    }
    double bottom = frame.startOfY();
    for (int at = places.length - 1; at >= 0; at--) {
      places[at] = Math.min(places[at], bottom);
      bottom = places[at] - LINE_HEIGHT;
    }
    for (int at = 0; at < places.length; at++) {
      Series series = order.get(at);
      double x = frame.x(series.x()[series.last()]);
      svg.open("g", "class", series.classes());
      Marker.draw(svg, series.style(), x, frame.y(series.y()[series.last()]));
      svg.text(label(series.name()), frame.endOfX() + 8, places[at] + 4);
      svg.close("g");
    }
  }

  private static String label(String name) {
    return name.length() <= LONGEST_LABEL
        ? name
        : name.substring(0, LONGEST_LABEL / 2) + "…" + name.substring(name.length() - 8);
  }
}

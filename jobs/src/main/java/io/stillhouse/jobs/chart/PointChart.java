package io.stillhouse.jobs.chart;

import static io.stillhouse.error.Text.format;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.DoubleStream;

/** Points with error bars, such as the size and the quality of models, over a logarithmic axis. */
public final class PointChart {
  private static final double CHARACTER = 6.2;
  private static final int MOST_LABELS = 12;
  private static final int LONGEST_LABEL = 22;

  /** What a point stands for. */
  public enum Role {
    /** The model that others are compared with. */
    TEACHER,
    /** A model that no other one beats in both directions. */
    FRONT,
    /** A model trained without the teacher. */
    BASELINE,
    /** Any other model. */
    OTHER
  }

  /**
   * A point.
   *
   * @param x the horizontal value, more than 0
   * @param error standard error of {@code y}; NaN if it is not known
   */
  public record Point(String name, Role role, double x, double y, double error) {}

  private record Box(double left, double top, double right, double bottom) {
    boolean meets(Box other) {
      return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
    }
  }

  /** Above this number, error bars of models that are only context would hide the others. */
  private static final int MOST_BARS = 40;

  private final List<Box> taken = new ArrayList<>();
  private final Frame frame;
  private final Svg svg;

  private PointChart(ChartText text, List<Point> points) {
    double[] x = points.stream().mapToDouble(Point::x).toArray();
    double[] y =
        points.stream()
            .flatMapToDouble(
                p ->
                    DoubleStream.of(
                        p.y() - (p.error() >= 0 ? p.error() : 0),
                        p.y() + (p.error() >= 0 ? p.error() : 0)))
            .toArray();
    this.frame = new Frame(text, Scale.logarithmic(x), Scale.linear(y), 16);
    this.svg = frame.open();
  }

  /** Returns the chart; the points of the front are joined by steps. */
  public static String of(ChartText text, List<Point> points) {
    List<Point> shown = points.size() > MOST_BARS ? withoutBars(points) : points;
    PointChart chart = new PointChart(text, shown);
    chart.front(shown.stream().filter(point -> point.role() == Role.FRONT).toList());
    List<Point> order = new ArrayList<>(shown);
    order.sort(Comparator.comparing(Point::role, Comparator.reverseOrder()));
    order.forEach(chart::draw);
    List<Point> named = new ArrayList<>(shown);
    named.sort(Comparator.comparing(Point::role));
    if (named.size() > MOST_LABELS) {
      named.removeIf(point -> point.role().compareTo(Role.BASELINE) >= 0);
    }
    named.stream().limit(MOST_LABELS).forEach(chart::label);
    return chart.svg.end();
  }

  private static List<Point> withoutBars(List<Point> points) {
    return points.stream()
        .map(
            each ->
                each.role() == Role.OTHER
                    ? new Point(each.name(), each.role(), each.x(), each.y(), Double.NaN)
                    : each)
        .toList();
  }

  private void front(List<Point> front) {
    List<Point> order = front.stream().sorted(Comparator.comparingDouble(Point::x)).toList();
    StringBuilder path = new StringBuilder();
    for (Point point : order) {
      String x = Svg.number(frame.x(point.x()));
      path.append(path.isEmpty() ? "M" + x + " " : "H" + x + "V");
      path.append(Svg.number(frame.y(point.y())));
    }
    if (order.size() > 1) {
      svg.element("path", "class", "front-line", "d", path.toString());
    }
  }

  private void draw(Point point) {
    double x = frame.x(point.x());
    double y = frame.y(point.y());
    taken.add(new Box(x - 6, y - 6, x + 6, y + 6));
    svg.open("g", "class", "point " + className(point.role()));
    if (point.error() > 0) {
      double from = frame.y(point.y() - point.error());
      double to = frame.y(point.y() + point.error());
      svg.element(
          "path",
          "class",
          "error",
          "d",
          format("M%s %sV%s", Svg.number(x), Svg.number(from), Svg.number(to)));
    }
    String error = point.error() >= 0 ? " ± " + Numbers.brief(point.error()) : "";
    svg.hint(
        format(
            "%s: %s, %s%s",
            point.name(), Numbers.brief(point.x()), Numbers.brief(point.y()), error));
    Marker.draw(svg, shape(point.role()), x, y);
    svg.close("g");
  }

  private static int shape(Role role) {
    return switch (role) {
      case TEACHER -> 3;
      case FRONT, OTHER -> 0;
      case BASELINE -> 1;
    };
  }

  private static String className(Role role) {
    return switch (role) {
      case TEACHER -> "teacher";
      case FRONT -> "front";
      case BASELINE -> "baseline";
      case OTHER -> "other";
    };
  }

  /** Writes a name where it covers no point and no other name; leaves it out if there is none. */
  private void label(Point point) {
    String name =
        point.name().length() > LONGEST_LABEL
            ? point.name().substring(0, LONGEST_LABEL - 1) + "…"
            : point.name();
    double width = CHARACTER * name.length();
    double x = frame.x(point.x());
    double y = frame.y(point.y());
    double[][] places = {
      {x + 9, y + 4}, {x - 9 - width, y + 4}, {x - width / 2, y - 10}, {x - width / 2, y + 19}
    };
    for (double[] place : places) {
      Box box = new Box(place[0], place[1] - 11, place[0] + width, place[1] + 3);
      boolean inside =
          box.left() > 50 && box.right() < Frame.WIDTH && box.top() > 0 && box.bottom() < 258;
      if (inside && taken.stream().noneMatch(box::meets)) {
        taken.add(box);
        svg.text(name, place[0], place[1], "class", "label");
        return;
      }
    }
  }
}

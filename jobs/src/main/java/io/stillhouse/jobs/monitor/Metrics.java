package io.stillhouse.jobs.monitor;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Secrets;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The values of this process's metrics, as a page in Prometheus' text format. The format is a few
 * lines of code; a client library would be one more dependency in a jar that runs inside of Spark.
 */
public final class Metrics {
  private static final Map<Metric, Map<String, Double>> VALUES = new EnumMap<>(Metric.class);

  private Metrics() {}

  /**
   * Sets a value.
   *
   * @param labels the values of the metric's labels, in their order
   */
  public static synchronized void set(Metric metric, double value, String... labels) {
    series(metric).put(labelled(metric, List.of(labels)), value);
  }

  /** Adds to a value, which is 0 at first. */
  public static synchronized void add(Metric metric, double more, String... labels) {
    series(metric).merge(labelled(metric, List.of(labels)), more, Double::sum);
  }

  /** Removes all values, for a new command. */
  static synchronized void clear() {
    VALUES.clear();
  }

  /** Returns all values in Prometheus' text format, version 0.0.4. */
  static synchronized String page() {
    StringBuilder page = new StringBuilder();
    VALUES.forEach(
        (metric, series) -> {
          String name = metric.fullName();
          page.append(
              format("# HELP %s %s\n# TYPE %1$s %3$s\n", name, metric.help(), metric.type()));
          series.forEach(
              (labels, value) -> page.append(name).append(labels).append(' ').append(text(value)));
        });
    return page.toString();
  }

  private static Map<String, Double> series(Metric metric) {
    return VALUES.computeIfAbsent(metric, absent -> new TreeMap<>());
  }

  private static String labelled(Metric metric, List<String> values) {
    if (values.size() != metric.labels().size()) {
      throw new IllegalArgumentException(
          format("%s has the labels %s, but was given %s", metric, metric.labels(), values));
    }
    StringBuilder text = new StringBuilder();
    for (int label = 0; label < values.size(); label++) {
      text.append(label == 0 ? '{' : ',')
          .append(metric.labels().get(label))
          .append("=\"")
          .append(escaped(Secrets.hiddenIn(values.get(label))))
          .append('"');
    }
    return values.isEmpty() ? "" : text.append('}').toString();
  }

  private static String escaped(String value) {
    return value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
  }

  private static String text(double value) {
    if (Double.isInfinite(value)) {
      return value > 0 ? "+Inf\n" : "-Inf\n";
    }
    return value == Math.rint(value) && Math.abs(value) < 1e15
        ? format("%d\n", (long) value)
        : value + "\n";
  }
}

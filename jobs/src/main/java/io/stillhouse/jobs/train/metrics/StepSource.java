package io.stillhouse.jobs.train.metrics;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import io.stillhouse.train.StepReport;
import org.apache.spark.metrics.source.Source;

/** A student's newest step as gauges of Spark's metrics, which Spark's sinks export. */
final class StepSource implements Source {
  private final String student;
  private final MetricRegistry gauges = new MetricRegistry();
  private volatile StepReport newest;

  /**
   * @param first the first step; the gauges of terms that only later steps have are added then
   */
  StepSource(String student, StepReport first) {
    this.student = student;
    this.newest = first;
    StepNumbers.of(first).keySet().forEach(this::gauge);
    gauge("step", () -> newest.step());
    gauge("steps", () -> newest.steps());
  }

  private void gauge(String name) {
    gauge(name, () -> StepNumbers.of(newest).getOrDefault(name, Double.NaN));
  }

  private void gauge(String name, Gauge<? extends Number> gauge) {
    gauges.register(name, gauge);
  }

  void set(StepReport step) {
    newest = step;
    StepNumbers.of(step).keySet().stream()
        .filter(name -> !gauges.getNames().contains(name))
        .forEach(this::gauge);
  }

  @Override
  public String sourceName() {
    return "train." + student;
  }

  @Override
  public MetricRegistry metricRegistry() {
    return gauges;
  }
}

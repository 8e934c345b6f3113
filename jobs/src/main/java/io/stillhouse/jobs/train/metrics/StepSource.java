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
   * @param first a step whose terms are those of all steps
   */
  StepSource(String student, StepReport first) {
    this.student = student;
    this.newest = first;
    StepNumbers.of(first)
        .keySet()
        .forEach(name -> gauge(name, () -> StepNumbers.of(newest).getOrDefault(name, Double.NaN)));
    gauge("step", () -> newest.step());
    gauge("steps", () -> newest.steps());
  }

  private void gauge(String name, Gauge<? extends Number> gauge) {
    gauges.register(name, gauge);
  }

  void set(StepReport step) {
    newest = step;
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

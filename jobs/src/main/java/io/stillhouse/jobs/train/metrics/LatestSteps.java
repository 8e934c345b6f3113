package io.stillhouse.jobs.train.metrics;

import io.stillhouse.train.StepReport;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.spark.util.AccumulatorV2;
import scala.Tuple2;

/** The newest step of each student; tasks report it with their executors' heartbeats. */
public final class LatestSteps
    extends AccumulatorV2<Tuple2<String, StepReport>, Map<String, StepReport>> {
  private static final long serialVersionUID = 1L;
  private final TreeMap<String, StepReport> latest = new TreeMap<>();

  /**
   * Returns the newest steps.
   *
   * @param running values of this accumulator in running tasks
   */
  public Map<String, StepReport> with(List<Object> running) {
    LatestSteps all = new LatestSteps();
    all.latest.putAll(value());
    for (Object steps : running) {
      ((Map<?, ?>) steps)
          .forEach((name, step) -> all.add(new Tuple2<>((String) name, (StepReport) step)));
    }
    return all.value();
  }

  /** Returns a listener that adds the steps of a student. */
  public Consumer<StepReport> listener(String student) {
    return step -> add(new Tuple2<>(student, step));
  }

  @Override
  public boolean isZero() {
    return latest.isEmpty();
  }

  @Override
  public synchronized AccumulatorV2<Tuple2<String, StepReport>, Map<String, StepReport>> copy() {
    LatestSteps copy = new LatestSteps();
    copy.latest.putAll(latest);
    return copy;
  }

  @Override
  public synchronized void reset() {
    latest.clear();
  }

  @Override
  public synchronized void add(Tuple2<String, StepReport> step) {
    latest.merge(step._1, step._2, (a, b) -> a.step() >= b.step() ? a : b);
  }

  @Override
  public void merge(AccumulatorV2<Tuple2<String, StepReport>, Map<String, StepReport>> other) {
    other.value().forEach((name, step) -> add(new Tuple2<>(name, step)));
  }

  @Override
  public synchronized Map<String, StepReport> value() {
    return new TreeMap<>(latest);
  }
}

package io.stillhouse.jobs.plan;

import io.stillhouse.error.Errors;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.SparkSession;

/**
 * The time that a probe has. Its phases size themselves by what is left; when all of it is gone,
 * Spark's jobs are cancelled and the phase at hand is named.
 */
final class Deadline implements AutoCloseable {
  private final SparkSession spark;
  private final double seconds;
  private final long start = System.nanoTime();
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "deadline of the probe");
            thread.setDaemon(true);
            return thread;
          });

  private final Map<String, Double> phases = new LinkedHashMap<>();

  /** A phase of the probe. */
  interface Phase<T> {
    T run() throws IOException;
  }

  Deadline(SparkSession spark, double seconds) {
    this.spark = spark;
    this.seconds = seconds;
    // Repeated, since a phase may start another job after the first was cancelled.
    timer.scheduleWithFixedDelay(this::cancel, (long) (1000 * seconds), 500, TimeUnit.MILLISECONDS);
  }

  /** Returns the seconds that are left, in which nothing more should be begun at 0. */
  double left() {
    return Math.max(0, seconds - (System.nanoTime() - start) / 1e9);
  }

  /** Returns the seconds of the whole probe. */
  double seconds() {
    return seconds;
  }

  /** Returns the seconds of each phase so far. */
  Map<String, Double> phases() {
    return new LinkedHashMap<>(phases);
  }

  /**
   * Runs a phase.
   *
   * @throws io.stillhouse.error.StillhouseException if the time was gone before its end
   */
  <T> T run(String name, Phase<T> phase) throws IOException {
    try {
      if (left() > 0) {
        double before = left();
        T result = phase.run();
        phases.merge(name, before - left(), Double::sum);
        if (left() > 0) {
          return result;
        }
      }
    } catch (Exception e) { // Spark throws checked ones that it does not declare
      if (left() > 0) {
        throw e;
      }
      throw late(name, e);
    }
    throw late(name, null);
  }

  private RuntimeException late(String phase, Exception cause) {
    return Errors.invalid(
        "the probe was not done after %.0f seconds (plan.seconds): it ended while %s"
            .formatted(seconds, phase),
        "give it more, such as plan.seconds=%.0f".formatted(3 * seconds),
        cause);
  }

  private void cancel() {
    if (!spark.sparkContext().isStopped()) {
      spark.sparkContext().cancelAllJobs();
    }
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}

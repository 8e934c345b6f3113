package io.stillhouse.jobs.plan;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Limits the time of a probe. Its phases choose their size according to the remaining time. When
 * the time is up, Spark's jobs are cancelled and the error names the current phase.
 */
final class Deadline implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Deadline.class);
  private static final int REPEAT_MILLIS = 500;

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

  /**
   * Starts the clock.
   *
   * @param cancel stops the work of the current phase; repeated once the time is up
   */
  Deadline(double seconds, Runnable cancel) {
    this.seconds = seconds;
    // Repeated because a phase may start another job after the first one is cancelled.
    timer.scheduleWithFixedDelay(
        cancel, (long) (1000 * seconds), REPEAT_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** Starts the clock; when the time is up, all jobs of a session are cancelled. */
  static Deadline of(SparkSession spark, double seconds) {
    return new Deadline(
        seconds,
        () -> {
          if (!spark.sparkContext().isStopped()) {
            spark.sparkContext().cancelAllJobs();
          }
        });
  }

  /** Returns the remaining seconds; at 0, no phase should start. */
  double left() {
    return Math.max(0, seconds - (System.nanoTime() - start) / 1e9);
  }

  /** Returns the seconds that the whole probe may take. */
  double seconds() {
    return seconds;
  }

  /** Returns the seconds that each phase has taken so far. */
  Map<String, Double> phases() {
    return new LinkedHashMap<>(phases);
  }

  /**
   * Runs a phase.
   *
   * @param name what the phase did, as a clause after "while" in the error
   * @throws io.stillhouse.error.StillhouseException if the time was up before its end
   */
  <T> T run(String name, Phase<T> phase) throws IOException {
    try {
      if (left() > 0) {
        double before = left();
        T result = phase.run();
        double taken = before - left();
        phases.merge(name, taken, Double::sum);
        LOG.debug("{} for {} s; {} s are left", name, Math.round(taken), Math.round(left()));
        if (left() > 0) {
          return result;
        }
      }
    } catch (Exception e) { // Spark throws checked exceptions that it does not declare
      if (left() > 0) {
        throw e;
      }
      throw timeout(name, e);
    }
    throw timeout(name, null);
  }

  private RuntimeException timeout(String phase, @Nullable Exception cause) {
    String problem =
        format(
            "the probe did not finish within %.0f seconds (plan.seconds): time ran out while %s",
            seconds, phase);
    String remedy = format("give it more time, such as plan.seconds=%.0f", 3 * seconds);
    return cause == null ? Errors.invalid(problem, remedy) : Errors.invalid(problem, remedy, cause);
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}

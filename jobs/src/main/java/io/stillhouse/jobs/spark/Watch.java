package io.stillhouse.jobs.spark;

import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Repeats an action every second while a Spark job blocks its thread, and once more at the end. */
public final class Watch implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Watch.class);

  private final Runnable action;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "watch");
            thread.setDaemon(true);
            return thread;
          });

  /** Starts repeating. */
  public Watch(Runnable action) {
    this.action = action;
    timer.scheduleWithFixedDelay(this::run, 1, 1, TimeUnit.SECONDS);
  }

  private void run() {
    try {
      action.run();
    } catch (RuntimeException e) { // otherwise the timer would stop silently
      LOG.warn("A progress display has failed and will be retried in a second", e);
    }
  }

  @Override
  public void close() {
    timer.shutdown(); // an interrupt could cut short what the action writes
    action.run();
  }
}

package io.stillhouse.jobs.spark;

import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Repeats an action each second while a Spark job blocks the driver, and once more at the end. */
public final class Watch implements AutoCloseable {
  private final Runnable action;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "watch");
            thread.setDaemon(true);
            return thread;
          });

  public Watch(Runnable action) {
    this.action = action;
    timer.scheduleWithFixedDelay(action, 1, 1, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    timer.shutdown(); // no interrupt: it would break what the action is writing
    action.run();
  }
}

package io.stillhouse.jobs.spark;

import static io.stillhouse.error.Text.format;

import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.apache.hadoop.service.launcher.IrqHandler;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.scheduler.SparkListenerTaskStart;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stops a command on SIGTERM or SIGINT, in a state that the same command resumes.
 *
 * <p>A signal first asks the running tasks to end between two steps, upon which training tasks
 * write a checkpoint. When they have ended, all Spark jobs are cancelled, {@link TrackedJob} throws
 * a {@link StoppedException}, and the command ends in its usual way. The JVM's own handling would
 * stop Spark and Hadoop in shutdown hooks, in parallel with the tasks that still write.
 *
 * <p>After the time limit, or at a second signal, the process ends at once. What was saved until
 * then is complete, because files and directories appear under their names only when they are.
 */
public final class GracefulStop {
  private static final Logger LOG = LoggerFactory.getLogger(GracefulStop.class);
  private static final long POLL_MILLIS = 100;

  /** Milliseconds that shutdown hooks get before the process is halted. */
  private static final long HOOKS_MILLIS = 3000;

  /** Nanoseconds that cancelled tasks get to end. */
  private static final long TASKS_END_NANOS = TimeUnit.SECONDS.toNanos(5);

  private static final AtomicInteger SAVING_JOBS = new AtomicInteger();
  private static volatile @Nullable StopSignal received;
  private static volatile @Nullable Session session;

  private GracefulStop() {}

  /** The session of the running command. */
  private record Session(SparkContext context, RunningIds running, int seconds) {
    boolean isOpen() {
      return !context.isStopped();
    }
  }

  /** The attempts that are running, by Spark's task IDs. */
  private static final class RunningIds extends SparkListener {
    private final Set<Long> ids = ConcurrentHashMap.newKeySet();

    @Override
    public void onTaskStart(SparkListenerTaskStart start) {
      ids.add(start.taskInfo().taskId());
    }

    @Override
    public void onTaskEnd(SparkListenerTaskEnd end) {
      ids.remove(end.taskInfo().taskId());
    }
  }

  /** Handles the signals from now on. Signals that the process ignores remain ignored. */
  public static void install() {
    for (StopSignal signal : StopSignal.values()) {
      try {
        new IrqHandler(signal.shortName(), interrupt -> receive(signal)).bind();
      } catch (IllegalArgumentException e) { // the JVM was started with -Xrs
        LOG.debug("Cannot handle {}", signal, e);
      }
    }
  }

  /**
   * Names the session whose tasks a signal stops.
   *
   * @param seconds the time limit
   */
  static void watch(SparkContext context, int seconds) {
    RunningIds running = new RunningIds();
    context.addSparkListener(running);
    session = new Session(context, running, seconds);
  }

  /** Returns the signal that stops the command, or null if there was none. */
  public static @Nullable StopSignal received() {
    return received;
  }

  /**
   * Ends the command if it is to stop, before it starts more work or between two waits.
   *
   * @throws StoppedException if a signal has been received
   */
  public static void check() {
    if (received != null) {
      throw new StoppedException("");
    }
  }

  /** Notes that a job whose tasks save their state when they are asked to end has started. */
  static void savingJobStarted() {
    SAVING_JOBS.incrementAndGet();
  }

  static void savingJobEnded() {
    SAVING_JOBS.decrementAndGet();
  }

  private static void receive(StopSignal signal) {
    StopSignal first = received;
    received = signal;
    if (first != null) {
      say(format("stopped at once by a second %s; repeat the command to continue", signal));
      Runtime.getRuntime().halt(signal.exitCode());
    }
    Thread thread = new Thread(() -> stop(signal), "graceful-stop");
    thread.setDaemon(true);
    thread.start();
  }

  private static void stop(StopSignal signal) {
    Session open = session;
    if (open == null || !open.isOpen()) {
      exit(signal, format("stopped by %s; repeat the command", signal));
      return;
    }
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(open.seconds());
    say(
        format(
            "%s: saving what is finished, for at most %d s; a second signal stops at once",
            signal, open.seconds()));
    if (SAVING_JOBS.get() > 0) {
      askTasksToEnd(open, signal, end - TimeUnit.SECONDS.toNanos(open.seconds() / 5));
    }
    await(
        end,
        () -> {
          // Again and again, because the driver may start another one.
          ifOpen(open, SparkContext::cancelAllJobs);
          return false; // the end of the process ends this thread
        });
    exit(
        signal,
        format(
            "stopped by %s after %d s, while work was running; what was finished before, such as"
                + " the last checkpoints, is complete; repeat the command to continue",
            signal, open.seconds()));
  }

  /**
   * Kills the running tasks without interrupting their threads, which would break the files that
   * they write, and waits until they end. Spark starts them again, which the end of all jobs stops.
   */
  private static void askTasksToEnd(Session open, StopSignal signal, long end) {
    Collection<Long> running = List.copyOf(open.running().ids);
    LOG.info("Asking {} running tasks to save their state and end", running.size());
    for (long task : running) {
      ifOpen(open, context -> context.killTaskAttempt(task, false, "stopped by " + signal));
    }
    await(end, () -> running.stream().noneMatch(open.running().ids::contains));
  }

  /** Calls a context that the main thread may stop at the same time. */
  private static void ifOpen(Session session, Consumer<SparkContext> call) {
    try {
      if (session.isOpen()) {
        call.accept(session.context());
      }
    } catch (Exception e) { // Scala declares no exceptions; one would end the thread that waits
      LOG.debug("Spark's context is stopping", e);
    }
  }

  /**
   * Waits until cancelled tasks have ended, so that none fails because Spark's session is closed.
   */
  static void awaitTasks() {
    Session open = session;
    if (open != null) {
      await(System.nanoTime() + TASKS_END_NANOS, open.running().ids::isEmpty);
    }
  }

  /** Waits until a condition holds, or until a time of {@link System#nanoTime}. */
  private static void await(long end, BooleanSupplier condition) {
    try {
      while (!condition.getAsBoolean() && System.nanoTime() < end) {
        Thread.sleep(POLL_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void exit(StopSignal signal, String message) {
    say(message);
    Thread hooks = new Thread(() -> Runtime.getRuntime().exit(signal.exitCode()), "exit");
    hooks.setDaemon(true);
    hooks.start();
    try {
      hooks.join(HOOKS_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(signal.exitCode());
  }

  private static void say(String message) {
    System.err.println("stillhouse: " + message);
  }
}

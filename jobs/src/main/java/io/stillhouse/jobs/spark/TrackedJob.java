package io.stillhouse.jobs.spark;

import io.stillhouse.error.Secrets;
import io.stillhouse.error.StillhouseException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.logging.log4j.CloseableThreadContext;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkException;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.AccumulatorV2;
import org.apache.spark.util.LongAccumulator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Spark jobs that belong together: their job group in Spark's UI, their progress, the accumulators
 * that feed it, and their cancellation.
 *
 * <p>The jobs that a thread starts between {@link #start} and {@link #close} carry the group, as do
 * those of threads that it creates in between. Instances may be nested. {@link #close} restores the
 * group that the thread had before, and must be called on the same thread.
 *
 * <pre>{@code
 * try (TrackedJob job = TrackedJob.start(spark, "evaluate", "3 models")) {
 *   LongAccumulator tokens =
 *       job.count("evaluated tokens", Progress.start("evaluate", total, "tokens"));
 *   return job.run(() -> context.parallelize(parts).map(part -> part.run(tokens::add)).collect());
 * }
 * }</pre>
 */
public final class TrackedJob implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(TrackedJob.class);

  /** The properties in which Spark keeps a thread's job group and job tags. */
  private static final List<String> PROPERTIES =
      List.of(
          "spark.jobGroup.id",
          "spark.job.description",
          "spark.job.interruptOnCancel",
          TaskLog.JOB,
          "spark.job.tags");

  private static final long LISTENERS_MILLIS = 2000;

  /** Spark 3.5 marks the exception of a cancelled job only by this text. */
  private static final Pattern JOB_CANCELLED = Pattern.compile("Job \\d+ cancelled( .*)?");

  private final SparkContext context;
  private final String group;
  private final String tag = "stillhouse-" + UUID.randomUUID();
  private final Map<String, @Nullable String> before = new LinkedHashMap<>();
  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private final TaskFailures failures = new TaskFailures(tag);
  private volatile boolean cancelled;
  private @Nullable Supplier<String> saved;

  /**
   * Work that starts Spark jobs.
   *
   * @param <T> the type of its result
   * @param <E> the checked exception that it declares
   */
  @FunctionalInterface
  public interface Work<T, E extends Exception> {
    T run() throws E;
  }

  private TrackedJob(SparkContext context, String group) {
    this.context = context;
    this.group = group;
  }

  /**
   * Sets the job group of this thread.
   *
   * @param group the group's identifier, usually the command's name; several jobs may share it
   * @param description what Spark's UI shows for each job
   */
  public static TrackedJob start(SparkSession spark, String group, String description) {
    return start(spark.sparkContext(), group, description);
  }

  /** Sets the job group of this thread, like {@link #start(SparkSession, String, String)}. */
  public static TrackedJob start(SparkContext context, String group, String description) {
    GracefulStop.check();
    TrackedJob job = new TrackedJob(context, group);
    PROPERTIES.forEach(name -> job.before.put(name, context.getLocalProperty(name)));
    job.describe(description);
    context.setLocalProperty(TaskLog.JOB, group);
    job.open.push(CloseableThreadContext.put(TaskLog.JOB, group));
    context.addJobTag(job.tag);
    context.addSparkListener(job.failures);
    return job;
  }

  /** Changes what Spark's UI shows for the jobs that this thread starts from now on. */
  public void describe(String description) {
    context.setJobGroup(group, Secrets.hiddenIn(description), true);
  }

  /** Takes over a progress display, which {@link #close} closes. */
  public Progress show(Progress progress) {
    open.push(progress);
    return progress;
  }

  /**
   * Registers an accumulator whose sum, including running tasks, drives the progress: every second,
   * and once at the end.
   *
   * @param name what Spark's UI calls the accumulator
   * @param progress display of the count, which {@link #close} closes; tasks add to its initial
   *     count
   */
  public LongAccumulator count(String name, Progress progress) {
    LongAccumulator counted = new LongAccumulator();
    show(progress);
    watch(
        name, counted, values -> progress.update(progress.from() + counted.value() + sum(values)));
    return counted;
  }

  /**
   * Repeats an action every second, and once at the end, with an accumulator's latest value from
   * each running task.
   *
   * @param name what Spark's UI calls the accumulator
   * @param accumulator registered here unless it already is
   * @param action receives the values of running tasks, which the accumulator's own value does not
   *     include
   */
  public void watch(String name, AccumulatorV2<?, ?> accumulator, Consumer<List<Object>> action) {
    if (!accumulator.isRegistered()) {
      context.register(accumulator, name);
    }
    RunningTasks running = new RunningTasks(context, accumulator);
    open.push(running);
    open.push(new Watch(() -> action.accept(running.values())));
  }

  /**
   * Declares that the tasks save their state when a signal stops the command: they end between two
   * steps, as soon as {@link org.apache.spark.TaskContext#isInterrupted} is true.
   *
   * @param state says what has been saved, once the tasks have ended
   */
  public void savesWhenStopped(Supplier<String> state) {
    saved = state;
    GracefulStop.savingJobStarted();
    open.push(GracefulStop::savingJobEnded);
  }

  /**
   * Runs work that starts Spark jobs. If it fails, its other Spark jobs are cancelled, because
   * Spark would let them continue; {@link #cancelled} then distinguishes failure from cancellation.
   *
   * @throws StoppedException if a signal has stopped the command
   */
  public <T, E extends Exception> T run(Work<T, E> work) throws E {
    try {
      return work.run();
    } catch (Exception e) { // Spark throws checked exceptions that it does not declare
      boolean stopped = context.isStopped();
      cancelled |= stopped || isCancellation(e);
      if (!stopped) {
        context.cancelJobsWithTag(tag);
      }
      if (GracefulStop.received() != null && !isExplained(e)) {
        GracefulStop.awaitTasks();
        throw new StoppedException(saved == null ? "" : saved.get(), e);
      }
      throw e;
    }
  }

  private static boolean isExplained(Throwable thrown) {
    for (Throwable each = thrown; each != null; each = each.getCause()) {
      if (each instanceof StillhouseException
          || each instanceof StoppedException && !String.valueOf(each.getMessage()).isEmpty()) {
        return true;
      }
    }
    return false;
  }

  /** Cancels the Spark jobs of this instance, and of no other with the same group. */
  public void cancel() {
    cancelled = true;
    LOG.info("Cancelling the Spark jobs of group '{}'", group);
    context.cancelJobsWithTag(tag);
  }

  /**
   * Returns whether {@link #run} ended because its Spark jobs were cancelled, its thread was
   * interrupted or Spark was stopped, and not because of a failure.
   */
  public boolean cancelled() {
    return cancelled;
  }

  /**
   * Returns the number of task attempts that have failed so far, most of which Spark has repeated,
   * by the class of the exception or Spark's reason.
   */
  public Map<String, Integer> failedTasks() {
    try {
      context.listenerBus().waitUntilEmpty(LISTENERS_MILLIS);
    } catch (TimeoutException e) {
      LOG.debug("Spark's listeners are slow, so failed tasks may be missing", e);
    }
    return failures.counts();
  }

  /** Shows the last state, stops watching, and restores the job group that the thread had. */
  @Override
  public void close() {
    try {
      while (!open.isEmpty()) {
        closeOne(open.pop());
      }
    } finally {
      context.removeSparkListener(failures);
      before.forEach(context::setLocalProperty);
    }
  }

  private static void closeOne(AutoCloseable each) {
    try {
      each.close();
    } catch (Exception e) { // a display must not fail the work that it shows
      LOG.warn("The display of a Spark job's progress has failed; its results are not affected", e);
    }
  }

  private static boolean isCancellation(Throwable thrown) {
    for (Throwable each = thrown; each != null; each = each.getCause()) {
      if (each instanceof InterruptedException
          || each instanceof SparkException
              && JOB_CANCELLED.matcher(String.valueOf(each.getMessage())).matches()) {
        return true;
      }
    }
    return false;
  }

  private static long sum(List<Object> values) {
    return values.stream().mapToLong(value -> ((Number) value).longValue()).sum();
  }
}

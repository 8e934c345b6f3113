package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.Window;
import io.stillhouse.jobs.monitor.Metric;
import io.stillhouse.jobs.monitor.Metrics;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.TaskLog;
import io.stillhouse.jobs.spark.TrackedJob;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction1;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * Runs teacher tasks in Spark, and appends a manifest entry as each one ends.
 *
 * @param teacher name of the teacher, "" for the first one
 * @param limit called as each task ends; throws if there are too many rows without targets
 */
record TeacherStage(SparkSession spark, ManifestLog manifest, String teacher, Limit limit) {
  private static final Logger LOG = LoggerFactory.getLogger(TeacherStage.class);

  /** The job group of the teacher's tasks, which {@code plan} times. */
  private static final String GROUP = "cache";

  /** Checks the number of rows without targets. */
  interface Limit {
    void check() throws IOException;
  }

  /**
   * The totals of all tasks.
   *
   * @param loadSeconds longest time that a task waited for the teacher to be loaded
   */
  record Totals(double loadSeconds, int shards, long rows, long tokens) {
    static final Totals NONE = new Totals(0, 0, 0, 0);

    Totals plus(TeacherTask.ShardTargets done) {
      return new Totals(
          Math.max(loadSeconds, done.loadSeconds()),
          shards + 1,
          rows + done.files().get(0).size().rows(),
          tokens + done.files().get(0).size().tokens());
    }
  }

  /**
   * Runs the tasks.
   *
   * @param rolling decides when each task may run, and which tasks are no longer needed; null to
   *     run all at once
   */
  Totals run(CachePlan plan, List<TeacherTask> tasks, @Nullable RollingWindow rolling)
      throws IOException {
    long start = System.nanoTime();
    long tokens = tasks.stream().mapToLong(task -> task.inputs().size().tokens()).sum();
    long before = plan.corpus().tokens() - tokens;
    LOG.debug("computing the targets of {} shards, {} tokens", tasks.size(), tokens);
    Append append = new Append();
    Totals totals;
    try (TrackedJob job = TrackedJob.start(spark, GROUP, "teacher targets")) {
      Progress progress = Progress.resume("cache", before, plan.corpus().tokens(), "tokens");
      LongAccumulator done = job.count("teacher tokens", progress);
      job.watch("teacher tokens", done, running -> showTokens(done, running));
      int cached = plan.shards().size() - tasks.size();
      Metrics.set(Metric.CACHE_SHARDS, plan.shards().size());
      Metrics.set(Metric.CACHE_SHARDS_DONE, cached);
      Metrics.set(Metric.CACHE_ROWS_TOTAL, 0);
      Metrics.set(Metric.CACHE_INVALID_ROWS_TOTAL, 0);
      job.savesWhenStopped(
          () ->
              format(
                  "%,d of %,d shards are cached",
                  cached + append.totals.shards(), plan.shards().size()));
      totals =
          job.run(
              () -> {
                Window window = plan.window();
                if (rolling == null || window == null) {
                  runTasks(job, tasks, done, append);
                } else {
                  new RollingJobs(
                          rolling,
                          shard -> manifest.state().isFinished(shard, window),
                          manifest.state()::isDropped,
                          progress::note)
                      .run(tasks, ready -> runTasks(job, ready, done, append));
                }
                return append.totals;
              });
    }
    LOG.debug(
        "computed the targets of {} shards in {} s",
        totals.shards(),
        Math.round((System.nanoTime() - start) / 1e9));
    return totals;
  }

  private static void showTokens(LongAccumulator done, List<Object> running) {
    long inTasks = running.stream().mapToLong(value -> ((Number) value).longValue()).sum();
    Metrics.set(Metric.CACHE_TOKENS_TOTAL, done.value() + inTasks);
  }

  private void runTasks(
      TrackedJob job, List<TeacherTask> tasks, LongAccumulator done, Append append) {
    job.describe(format("teacher targets of %d shards", tasks.size()));
    JavaRDD<TeacherTask> rdd =
        JavaSparkContext.fromSparkContext(spark.sparkContext()).parallelize(tasks, tasks.size());
    spark
        .sparkContext()
        .runJob(
            rdd.rdd(),
            new Compute(done),
            append,
            ClassTag$.MODULE$.apply(TeacherTask.ShardTargets.class));
  }

  /** The work of one Spark task. */
  private static final class Compute
      extends AbstractFunction1<scala.collection.Iterator<TeacherTask>, TeacherTask.ShardTargets>
      implements Serializable {
    private static final long serialVersionUID = 1L;
    private final LongAccumulator tokens;
    private final TaskLog log = TaskLog.create();

    Compute(LongAccumulator tokens) {
      this.tokens = tokens;
    }

    @Override
    @SuppressWarnings("try") // the labels only have to be open
    public TeacherTask.ShardTargets apply(scala.collection.Iterator<TeacherTask> tasks) {
      TaskContext task = TaskContext.get();
      TeacherTask shard = tasks.next(); // a partition holds one task
      try (TaskLog.Scope labels = log.label(TaskLog.SHARD, shard.shard())) {
        return shard.compute(
            batch -> {
              task.killTaskIfInterrupted(); // because native code ignores interrupts
              tokens.add(batch);
            });
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /**
   * Runs on the driver as each task ends, so that a shard is committed as soon as it is finished.
   */
  private final class Append
      extends AbstractFunction2<Object, TeacherTask.ShardTargets, BoxedUnit> {
    private Totals totals = Totals.NONE;
    private boolean failed;

    @Override
    public BoxedUnit apply(Object partition, TeacherTask.ShardTargets done) {
      if (failed) {
        return BoxedUnit.UNIT;
      }
      try {
        manifest.append(new ManifestChange.FilesAdded(done.files(), done.invalid()));
        totals = totals.plus(done);
        Metrics.add(Metric.CACHE_SHARDS_DONE, 1);
        Metrics.add(Metric.CACHE_ROWS_TOTAL, done.files().get(0).size().rows());
        Metrics.add(Metric.CACHE_INVALID_ROWS_TOTAL, done.invalid().size());
        limit.check();
      } catch (IOException e) {
        failed = true;
        throw new UncheckedIOException(e);
      } catch (RuntimeException e) {
        failed = true;
        throw e;
      }
      return BoxedUnit.UNIT;
    }
  }
}

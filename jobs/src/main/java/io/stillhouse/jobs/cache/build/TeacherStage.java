package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.RunningTasks;
import io.stillhouse.jobs.spark.Watch;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.Predicate;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.jspecify.annotations.Nullable;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction1;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * The Spark job that runs teacher tasks.
 *
 * @param limit is told of all rows that this teacher leaves without targets as each task ends, and
 *     throws over too many
 */
record TeacherStage(SparkSession spark, LongConsumer limit) {

  private static final String GROUP = "cache";

  /**
   * What ran.
   *
   * @param loadSeconds the most that a task waited for the teacher to be loaded
   */
  record Ran(double loadSeconds, int shards, long rows, long tokens) {}

  /**
   * Runs the tasks.
   *
   * @param window that says when each may run, and which never need to; null for all at once
   */
  Ran run(
      CachePlan plan,
      ManifestLog manifest,
      String teacher,
      List<TeacherTask> tasks,
      @Nullable RollingWindow window)
      throws IOException {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    LongAccumulator done = spark.sparkContext().longAccumulator("teacher tokens");
    long tokens = tasks.stream().mapToLong(task -> task.inputs().size().tokens()).sum();
    long before = plan.corpus().tokens() - tokens;
    Append append = new Append(manifest, teacher, limit);
    try (Progress progress = Progress.resume("cache", before, plan.corpus().tokens(), "tokens");
        RunningTasks running = new RunningTasks(spark.sparkContext(), done);
        Watch watch = new Watch(() -> progress.update(before + done.value() + running.sum()))) {
      if (window == null) {
        runJob(context, tasks, done, append);
      } else {
        Predicate<Integer> finished = shard -> manifest.state().isFinished(shard, plan.window());
        new RollingJobs(
                window, finished, shard -> manifest.state().isDropped(shard), progress::note)
            .run(tasks, some -> runJob(context, some, done, append));
      }
    } catch (Exception e) { // Spark throws checked ones that it does not declare
      context.cancelJobGroup(GROUP); // Spark lets the job's other tasks run on
      throw e;
    }
    return new Ran(append.longestLoad, append.shards, append.rows, append.tokens);
  }

  private void runJob(
      JavaSparkContext context, List<TeacherTask> tasks, LongAccumulator done, Append append) {
    context.setJobGroup(GROUP, "teacher targets of %d shards".formatted(tasks.size()), true);
    JavaRDD<TeacherTask> rdd = context.parallelize(tasks, tasks.size());
    spark
        .sparkContext()
        .runJob(
            rdd.rdd(), new Compute(done), append, ClassTag$.MODULE$.apply(TeacherTask.Done.class));
  }

  /** The work of one task. */
  private static final class Compute
      extends AbstractFunction1<scala.collection.Iterator<TeacherTask>, TeacherTask.Done>
      implements Serializable {
    private static final long serialVersionUID = 1L;
    private final LongAccumulator tokens;

    Compute(LongAccumulator tokens) {
      this.tokens = tokens;
    }

    @Override
    public TeacherTask.Done apply(scala.collection.Iterator<TeacherTask> tasks) {
      try {
        return tasks.next().compute(tokens::add); // a partition is one task
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** Runs on the driver as each task ends, so that a shard counts as soon as it is finished. */
  private static final class Append extends AbstractFunction2<Object, TeacherTask.Done, BoxedUnit> {
    private final ManifestLog manifest;
    private final String teacher;
    private final LongConsumer limit;
    private double longestLoad;
    private int shards;
    private long rows;
    private long tokens;
    private boolean stopped;

    Append(ManifestLog manifest, String teacher, LongConsumer limit) {
      this.manifest = manifest;
      this.teacher = teacher;
      this.limit = limit;
    }

    @Override
    public BoxedUnit apply(Object partition, TeacherTask.Done done) {
      if (stopped) {
        return BoxedUnit.UNIT;
      }
      longestLoad = Math.max(longestLoad, done.loadSeconds());
      try {
        manifest.append(new ManifestChange.FilesAdded(done.files(), done.invalid()));
        shards++;
        rows += done.files().get(0).size().rows();
        tokens += done.files().get(0).size().tokens();
        limit.accept(manifest.state().invalidRows(teacher));
      } catch (IOException e) {
        stopped = true;
        throw new UncheckedIOException(e);
      } catch (RuntimeException e) {
        stopped = true;
        throw e;
      }
      return BoxedUnit.UNIT;
    }
  }
}

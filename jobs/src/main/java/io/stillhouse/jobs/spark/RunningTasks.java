package io.stillhouse.jobs.spark;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.util.AccumulatorV2;
import scala.Tuple4;
import scala.collection.JavaConverters;
import scala.collection.Seq;

/**
 * The values of an accumulator in running tasks, which the heartbeats of executors report. Spark
 * merges them into the driver's value only when a task ends.
 */
public final class RunningTasks extends SparkListener implements AutoCloseable {
  private final SparkContext context;
  private final long accumulator;
  private final Map<Long, Object> values = new ConcurrentHashMap<>();

  /** Listens until {@link #close}. */
  public RunningTasks(SparkContext context, AccumulatorV2<?, ?> accumulator) {
    this.context = context;
    this.accumulator = accumulator.id();
    context.addSparkListener(this);
  }

  /** Returns the latest value of each running task. */
  public List<Object> values() {
    return List.copyOf(values.values());
  }

  /** Returns the sum over running tasks, for an accumulator of integers. */
  public long sum() {
    return values().stream().mapToLong(value -> ((Number) value).longValue()).sum();
  }

  @Override
  public void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate update) {
    for (Tuple4<Object, Object, Object, Seq<AccumulableInfo>> task :
        JavaConverters.seqAsJavaList(update.accumUpdates())) {
      for (AccumulableInfo info : JavaConverters.seqAsJavaList(task._4())) {
        if (info.id() == accumulator && info.update().isDefined()) {
          values.put((Long) task._1(), info.update().get());
        }
      }
    }
  }

  @Override
  public void onTaskEnd(SparkListenerTaskEnd end) {
    values.remove(end.taskInfo().taskId());
  }

  @Override
  public void close() {
    context.removeSparkListener(this);
  }
}

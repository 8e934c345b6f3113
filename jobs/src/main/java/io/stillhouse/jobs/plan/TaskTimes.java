package io.stillhouse.jobs.plan;

import java.util.HashSet;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobEnd;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.SparkSession;

/** Times the tasks of a cache job that run the teacher. */
final class TaskTimes extends SparkListener implements AutoCloseable {
  /** The job group of the teacher's tasks and of no other job. */
  private static final String GROUP = "cache";

  private static final int TIMEOUT_SECONDS = 20;

  private final SparkSession spark;
  private final Set<Object> stages = new HashSet<>();
  private final CountDownLatch ended = new CountDownLatch(1);
  private int job = -1;
  private double seconds;

  TaskTimes(SparkSession spark) {
    this.spark = spark;
    spark.sparkContext().setJobGroup("plan", "probe", true); // until the cache job sets its own
    spark.sparkContext().addSparkListener(this);
  }

  @Override
  public synchronized void onJobStart(SparkListenerJobStart start) {
    Properties properties = start.properties();
    if (properties != null && GROUP.equals(properties.getProperty("spark.jobGroup.id"))) {
      job = start.jobId();
      scala.collection.JavaConverters.seqAsJavaList(start.stageIds()).forEach(stages::add);
    }
  }

  @Override
  public synchronized void onTaskEnd(SparkListenerTaskEnd end) {
    if (stages.contains(end.stageId()) && end.taskInfo().successful()) {
      seconds += end.taskInfo().duration() / 1e3;
    }
  }

  @Override
  public synchronized void onJobEnd(SparkListenerJobEnd end) {
    if (end.jobId() == job) {
      ended.countDown();
    }
  }

  /** Returns the seconds of all tasks, once Spark's listener bus has reported their end. */
  double seconds() {
    await();
    synchronized (this) {
      return seconds;
    }
  }

  private void await() {
    try {
      if (!ended.await(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        throw new IllegalStateException("Spark did not report the end of the teacher's tasks");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    spark.sparkContext().removeSparkListener(this);
  }
}

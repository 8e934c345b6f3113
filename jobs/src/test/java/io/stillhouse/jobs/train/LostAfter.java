package io.stillhouse.jobs.train;

import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.sql.SparkSession;

/** Cancels everything after a number of Spark jobs, like the loss of the driver. */
public final class LostAfter extends SparkListener implements AutoCloseable {
  private final AtomicInteger jobs = new AtomicInteger();
  private final SparkSession spark;
  private final int most;

  public LostAfter(SparkSession spark, int most) {
    this.spark = spark;
    this.most = most;
    spark.sparkContext().addSparkListener(this);
  }

  @Override
  public void onJobStart(SparkListenerJobStart start) {
    if (jobs.incrementAndGet() > most) {
      spark.sparkContext().cancelJob(start.jobId());
    }
  }

  @Override
  public void close() {
    spark.sparkContext().removeSparkListener(this);
  }
}

package io.stillhouse.jobs.spark;

import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.ExceptionFailure;
import org.apache.spark.Success$;
import org.apache.spark.TaskEndReason;
import org.apache.spark.TaskKilled;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.scheduler.SparkListenerTaskEnd;

/** Counts the failed task attempts of the Spark jobs that carry a tag. */
final class TaskFailures extends SparkListener {
  private final String tag;
  private final Set<Integer> stages = ConcurrentHashMap.newKeySet();
  private final Map<String, Integer> counts = new ConcurrentHashMap<>();

  TaskFailures(String tag) {
    this.tag = tag;
  }

  @Override
  public void onJobStart(SparkListenerJobStart job) {
    String tags =
        job.properties() == null ? "" : job.properties().getProperty("spark.job.tags", "");
    if (Arrays.asList(tags.split(",")).contains(tag)) {
      job.stageIds().foreach(stage -> stages.add((Integer) stage));
    }
  }

  @Override
  public void onTaskEnd(SparkListenerTaskEnd task) {
    TaskEndReason reason = task.reason();
    boolean failed = reason != Success$.MODULE$ && !(reason instanceof TaskKilled);
    if (failed && stages.contains(task.stageId())) {
      counts.merge(words(reason), 1, Integer::sum);
    }
  }

  private static String words(TaskEndReason reason) {
    return reason instanceof ExceptionFailure failure
        ? failure.className()
        : reason.getClass().getSimpleName().replace("$", "");
  }

  /** Returns the number of failed attempts, by the class of the exception or Spark's reason. */
  Map<String, Integer> counts() {
    return new TreeMap<>(counts);
  }
}

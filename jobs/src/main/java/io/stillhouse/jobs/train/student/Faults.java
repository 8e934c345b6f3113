package io.stillhouse.jobs.train.student;

import java.util.Map;
import java.util.TreeMap;

/**
 * The faults that a training has survived.
 *
 * @param failedTasks number of failed task attempts, by the class of the exception or Spark's
 *     reason, in the command that wrote this
 * @param resumedAtStep the step of the checkpoint from which that command resumed each student
 */
public record Faults(Map<String, Integer> failedTasks, Map<String, Long> resumedAtStep) {

  /**
   * Returns the faults of a training.
   *
   * @param started the step after which each student started; 0 if it was not resumed
   */
  public static Faults of(Map<String, Integer> failedTasks, Map<String, Long> started) {
    Map<String, Long> resumed = new TreeMap<>(started);
    resumed.values().removeIf(step -> step == 0);
    return new Faults(failedTasks, resumed);
  }

  /** Returns these faults with further failed tasks of the same command. */
  public Faults plus(Map<String, Integer> more) {
    Map<String, Integer> all = new TreeMap<>(failedTasks);
    more.forEach((reason, count) -> all.merge(reason, count, Integer::sum));
    return new Faults(all, resumedAtStep);
  }
}

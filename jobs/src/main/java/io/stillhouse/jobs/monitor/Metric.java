package io.stillhouse.jobs.monitor;

import java.util.List;
import java.util.Locale;

/**
 * A metric of a running command, with a name, a unit and labels by Prometheus' conventions. A
 * counter only grows during a command and starts from 0 with the next one.
 */
public enum Metric {
  CACHE_SHARDS(Type.GAUGE, "Shards of the cache's plan."),
  CACHE_SHARDS_DONE(Type.GAUGE, "Shards that are cached, including those of earlier commands."),
  CACHE_ROWS_TOTAL(Type.COUNTER, "Rows that this command has cached, in finished shards."),
  CACHE_TOKENS_TOTAL(
      Type.COUNTER, "Tokens that the teacher has read in this command, including running tasks."),
  CACHE_INVALID_ROWS_TOTAL(
      Type.COUNTER, "Rows for which the teacher's output was not finite in this command."),
  TRAIN_STUDENTS(Type.GAUGE, "Students and baselines of the command."),
  TRAIN_STUDENTS_DONE(Type.GAUGE, "Students and baselines that have taken their last step."),
  TRAIN_STEP(Type.GAUGE, "Newest step of a student.", "student"),
  TRAIN_STEPS(Type.GAUGE, "Steps of a student's whole training.", "student"),
  TRAIN_LOSS(Type.GAUGE, "Weighted sum of the loss terms at the newest step.", "student"),
  TRAIN_TERM_LOSS(Type.GAUGE, "Loss of one term at the newest step.", "student", "term"),
  TRAIN_LEARNING_RATE(Type.GAUGE, "Learning rate of the newest step.", "student"),
  TRAIN_GRADIENT_NORM(Type.GAUGE, "Norm of the gradient before clipping.", "student"),
  TRAIN_TOKENS_PER_SECOND(
      Type.GAUGE, "Tokens per second without padding, over the latest 20 steps.", "student"),
  TRAIN_WAIT_RATIO(
      Type.GAUGE, "Share of the latest 20 steps' time that waited for data, 0 to 1.", "student"),
  TASKS_RUNNING(Type.GAUGE, "Running Spark tasks, by job group.", "job"),
  TASK_FAILURES_TOTAL(
      Type.COUNTER, "Spark tasks that failed and are retried, by job group.", "job"),
  INFO(Type.GAUGE, "1, with the command and Spark's application ID.", "command", "app_id");

  enum Type {
    GAUGE,
    COUNTER
  }

  private static final String PREFIX = "stillhouse_";

  private final Type type;
  private final String help;
  private final List<String> labels;

  Metric(Type type, String help, String... labels) {
    this.type = type;
    this.help = help;
    this.labels = List.of(labels);
  }

  /** Returns the name in Prometheus. */
  public String fullName() {
    return PREFIX + name().toLowerCase(Locale.ROOT);
  }

  String type() {
    return type.name().toLowerCase(Locale.ROOT);
  }

  String help() {
    return help;
  }

  List<String> labels() {
    return labels;
  }
}

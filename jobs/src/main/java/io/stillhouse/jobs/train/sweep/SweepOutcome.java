package io.stillhouse.jobs.train.sweep;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.train.student.TrainTask;
import java.io.Serializable;
import org.jspecify.annotations.Nullable;

/**
 * What became of a student of a sweep.
 *
 * @param training how it went, as far as it went; null if it never began
 * @param problem why it failed, or null
 * @param mistake whether that is the user's mistake
 */
public record SweepOutcome(
    String name,
    Status status,
    TrainTask.@Nullable Trained training,
    @Nullable String problem,
    boolean mistake)
    implements Serializable {

  /** How far it came. */
  public enum Status {
    /** To its last step; its directory is there. */
    TRAINED,
    /** To a pause, of which nothing is decided yet. */
    PAUSED,
    /** To a pause, after which others went on. */
    STOPPED,
    /** It could not go on; its checkpoints are there. */
    FAILED
  }

  static SweepOutcome trained(TrainTask.Trained training) {
    return new SweepOutcome(training.name(), Status.TRAINED, training, null, false);
  }

  static SweepOutcome paused(TrainTask.Trained training) {
    return new SweepOutcome(training.name(), Status.PAUSED, training, null, false);
  }

  static SweepOutcome failed(String name, TrainTask.@Nullable Trained training, Throwable problem) {
    for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
      if (cause instanceof StillhouseException) {
        return new SweepOutcome(name, Status.FAILED, training, cause.getMessage(), true);
      }
    }
    return new SweepOutcome(name, Status.FAILED, training, problem.toString(), false);
  }

  SweepOutcome stopped() {
    return new SweepOutcome(name, Status.STOPPED, training, null, false);
  }

  /** Returns a number over held-out rows, NaN if it was not measured. */
  double validation(String what) {
    Double value = training == null ? null : training.losses().validation().get(what);
    return value == null ? Double.NaN : value;
  }
}

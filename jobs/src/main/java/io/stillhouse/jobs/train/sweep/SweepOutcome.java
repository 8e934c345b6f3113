package io.stillhouse.jobs.train.sweep;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.train.student.TrainedStudent;
import java.io.Serializable;
import org.jspecify.annotations.Nullable;

/**
 * The outcome of one student of a sweep.
 *
 * @param training its result so far; null if its training never began
 * @param problem why it failed, or null
 * @param mistake whether the failure is the user's mistake
 */
public record SweepOutcome(
    String name,
    Status status,
    @Nullable TrainedStudent training,
    @Nullable String problem,
    boolean mistake)
    implements Serializable {

  /** How far a student was trained. */
  public enum Status {
    /** Trained to its last step; its directory exists. */
    TRAINED,
    /** Trained to a pause at which nothing has been decided yet. */
    PAUSED,
    /** Trained to a pause after which only better students continued. */
    STOPPED,
    /** Stopped by an error; its checkpoints are kept. */
    FAILED
  }

  static SweepOutcome trained(TrainedStudent training) {
    return new SweepOutcome(training.name(), Status.TRAINED, training, null, false);
  }

  static SweepOutcome paused(TrainedStudent training) {
    return new SweepOutcome(training.name(), Status.PAUSED, training, null, false);
  }

  static SweepOutcome failed(String name, @Nullable TrainedStudent training, Throwable problem) {
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

  /** Returns a measurement on the validation rows, or NaN if there is none. */
  double validation(String what) {
    Double value = training == null ? null : training.losses().validation().get(what);
    return value == null ? Double.NaN : value;
  }
}

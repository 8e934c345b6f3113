package io.stillhouse.jobs.spark;

/** Ends a command that a signal has stopped. Its message says what the command has saved. */
public final class StoppedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param state what has been saved, such as "12 of 40 shards are cached"; "" if nothing was
   */
  StoppedException(String state) {
    super(state);
  }

  /**
   * @param cause the exception with which the Spark jobs ended
   */
  StoppedException(String state, Throwable cause) {
    super(state, cause);
  }
}

package io.stillhouse.error;

import java.util.List;

/**
 * A user error in a recipe, in arguments or in data. Its message is shown without a stack trace.
 */
public final class StillhouseException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  @SuppressWarnings("serial") // List.of, which is serializable
  private final List<String> problems;

  StillhouseException(String message) {
    this(message, List.of(message));
  }

  StillhouseException(String message, List<String> problems) {
    super(message);
    this.problems = List.copyOf(problems);
  }

  StillhouseException(String message, Throwable cause) {
    super(message, cause);
    this.problems = List.of(message);
  }

  /** Returns the individual problems. */
  public List<String> problems() {
    return problems;
  }
}

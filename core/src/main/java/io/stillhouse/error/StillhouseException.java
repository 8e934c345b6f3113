package io.stillhouse.error;

import java.util.List;

/**
 * A user error in a recipe, in arguments or in data. Its message is shown without a stack trace,
 * and without the values of {@link Secrets}.
 */
public final class StillhouseException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  @SuppressWarnings("serial") // List.of, which is serializable
  private final List<String> problems;

  StillhouseException(String message) {
    this(message, List.of(message));
  }

  StillhouseException(String message, List<String> problems) {
    super(Secrets.hiddenIn(message));
    this.problems = problems.stream().map(Secrets::hiddenIn).toList();
  }

  StillhouseException(String message, Throwable cause) {
    super(Secrets.hiddenIn(message), cause);
    this.problems = List.of(Secrets.hiddenIn(message));
  }

  /** Returns the individual problems. */
  public List<String> problems() {
    return problems;
  }
}

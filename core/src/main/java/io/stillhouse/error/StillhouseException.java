package io.stillhouse.error;

/**
 * A mistake in what the user gave us (recipe, arguments, data); its message is shown without a
 * stack trace.
 */
public final class StillhouseException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  StillhouseException(String message) {
    super(message);
  }

  StillhouseException(String message, Throwable cause) {
    super(message, cause);
  }
}

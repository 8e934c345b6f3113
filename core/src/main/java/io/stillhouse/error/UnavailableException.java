package io.stillhouse.error;

/**
 * Something outside of this program that cannot be reached, such as a server. Trying again later
 * may help, so it is not a user error. Its message is shown without a stack trace, and without the
 * values of {@link Secrets}.
 */
public final class UnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  UnavailableException(String message, Throwable cause) {
    super(Secrets.hiddenIn(message), cause);
  }
}

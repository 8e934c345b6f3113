package io.stillhouse.error;

import java.util.List;

/** Creates user errors, so that the same mistake always has the same message. */
public final class Errors {
  private Errors() {}

  /**
   * Returns an error with the message "{@code problem}; {@code fix}".
   *
   * @param problem the value and the rule that it breaks
   * @param fix what to write or do instead
   */
  public static StillhouseException invalid(String problem, String fix) {
    return new StillhouseException(problem + "; " + fix);
  }

  /** Returns an error like {@link #invalid(String, String)}, with a cause for the debug log. */
  public static StillhouseException invalid(String problem, String fix, Throwable cause) {
    return new StillhouseException(problem + "; " + fix, cause);
  }

  /** Returns the error for a value that breaks the rule of its key. */
  public static StillhouseException badValue(String key, String rule, Object value) {
    return new StillhouseException("%s must be %s, but is '%s'".formatted(key, rule, value));
  }

  /** Returns the error for a path that does not exist. */
  public static StillhouseException noSuchPath(String what, Object path) {
    return new StillhouseException(
        "%s does not exist: '%s'; check the spelling, and that every machine of the cluster can read it"
            .formatted(what, path));
  }

  /** Returns one error that lists several problems, so that users can fix them all at once. */
  public static StillhouseException all(List<String> problems) {
    return new StillhouseException(
        problems.size() == 1
            ? problems.get(0)
            : problems.size() + " problems:\n  - " + String.join("\n  - ", problems),
        problems);
  }
}

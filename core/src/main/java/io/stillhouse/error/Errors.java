package io.stillhouse.error;

import java.util.List;

/** Words the user's mistakes, so that each reads the same wherever it is found. */
public final class Errors {
  private Errors() {}

  /**
   * Returns the mistake "{@code problem}; {@code mend}".
   *
   * @param problem what is wrong, with the value and the rule it breaks
   * @param mend what to write or do instead
   */
  public static StillhouseException invalid(String problem, String mend) {
    return new StillhouseException(problem + "; " + mend);
  }

  /** As {@link #invalid(String, String)}, keeping the cause for the debug log. */
  public static StillhouseException invalid(String problem, String mend, Throwable cause) {
    return new StillhouseException(problem + "; " + mend, cause);
  }

  /** Returns the mistake of a value that breaks its key's rule. */
  public static StillhouseException badValue(String key, String rule, Object value) {
    return new StillhouseException("%s must be %s, but is '%s'".formatted(key, rule, value));
  }

  /** Returns the mistake of a path at which there is nothing. */
  public static StillhouseException noSuchPath(String what, Object path) {
    return new StillhouseException(
        "%s does not exist: '%s'; check the spelling, or that every machine of the cluster sees it"
            .formatted(what, path));
  }

  /** Returns one mistake that lists several, so that nobody has to mend them one run at a time. */
  public static StillhouseException all(List<String> problems) {
    return new StillhouseException(
        problems.size() == 1
            ? problems.get(0)
            : problems.size() + " problems:\n  - " + String.join("\n  - ", problems),
        problems);
  }
}

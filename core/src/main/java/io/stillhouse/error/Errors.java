package io.stillhouse.error;

import static io.stillhouse.error.Text.format;

import java.util.List;

/**
 * Creates the errors that users read, so that the same mistake always has the same message: user
 * errors, and services that cannot be reached.
 */
public final class Errors {
  /** The most characters of a list of problems, or of a value from a file, in a message. */
  private static final int MAX_LIST = 420;

  private static final int MAX_VALUE = 80;

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

  /**
   * Returns the error for something outside of this program that cannot be reached, with the
   * message "{@code problem}; {@code fix}".
   */
  public static UnavailableException unavailable(String problem, String fix, Throwable cause) {
    return new UnavailableException(problem + "; " + fix, cause);
  }

  /** Returns the error for a value that breaks the rule of its key. */
  public static StillhouseException badValue(String key, String rule, Object value) {
    return new StillhouseException(format("%s must be %s, but is '%s'", key, rule, value));
  }

  /** Returns the error for a path that does not exist. */
  public static StillhouseException noSuchPath(String what, Object path) {
    return new StillhouseException(
        format(
            "%s does not exist: '%s'; check the spelling, and that every machine of the cluster can"
                + " read it",
            what, path));
  }

  /**
   * Returns the error for a value that contains a password or a token, which the message does not.
   *
   * @param what a key or "the path"
   */
  public static StillhouseException credentialsIn(String what, String value) {
    return invalid(
        format("%s must not contain credentials, but is '%s'", what, Secrets.hiddenIn(value)),
        "set them in Spark's configuration, such as spark.hadoop.fs.s3a.secret.key, or in a Hadoop"
            + " credential provider");
  }

  /** Returns one error that lists several problems, so that users can fix them all at once. */
  public static StillhouseException all(List<String> problems) {
    return new StillhouseException(
        problems.size() == 1
            ? problems.get(0)
            : problems.size() + " problems:\n  - " + String.join("\n  - ", problems),
        problems);
  }

  /**
   * Joins problems for one message, which stays short: it has the first problems and the number of
   * the others.
   */
  public static String joined(List<String> problems) {
    StringBuilder joined = new StringBuilder();
    for (int i = 0; i < problems.size(); i++) {
      String problem = problems.get(i);
      if (i > 0 && joined.length() + problem.length() > MAX_LIST) {
        return joined.append("; and ").append(problems.size() - i).append(" more").toString();
      }
      joined.append(i == 0 ? "" : "; ").append(problem);
    }
    return joined.toString();
  }

  /**
   * Returns a value that a file contains as it can be put into a message: on one line, and its
   * middle left out if it is long.
   */
  public static String shortened(String value) {
    String line = value.replaceAll("\\p{Cc}", "?");
    return line.length() <= MAX_VALUE
        ? line
        : line.substring(0, MAX_VALUE - 20) + "..." + line.substring(line.length() - 17);
  }
}

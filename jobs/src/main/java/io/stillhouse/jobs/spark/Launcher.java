package io.stillhouse.jobs.spark;

import java.util.Objects;

/** The script that started this process. */
public final class Launcher {
  private static final String NAME = "stillhouse";

  private Launcher() {}

  /**
   * Returns the script as the user called it, such as {@code bin/stillhouse}, for commands in
   * messages. The script sets an environment variable.
   */
  public static String command() {
    return Objects.requireNonNullElse(System.getenv("STILLHOUSE_LAUNCHER"), NAME);
  }
}

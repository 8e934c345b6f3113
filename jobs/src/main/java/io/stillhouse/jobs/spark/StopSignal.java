package io.stillhouse.jobs.spark;

/** A signal that stops a command gracefully. */
public enum StopSignal {
  SIGTERM("TERM", 15),
  SIGINT("INT", 2);

  private final String name;
  private final int number;

  StopSignal(String name, int number) {
    this.name = name;
    this.number = number;
  }

  /** Returns the signal's name as {@code kill} takes it. */
  String shortName() {
    return name;
  }

  /** Returns the exit code of a process that ends because of this signal. */
  public int exitCode() {
    return 128 + number;
  }
}

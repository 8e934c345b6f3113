package io.stillhouse.jobs;

/** The command line. */
public final class Stillhouse {
  private Stillhouse() {}

  /** Runs one command. */
  public static void main(String[] args) {}
}

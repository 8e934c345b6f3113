package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A running {@code stillhouse} command: its driver, its executors, and its output. */
final class Command {
  private static final int LIMIT_MINUTES = 10;

  /** Exit code of a process ended by SIGKILL. */
  private static final int KILLED = 137;

  private final Place place;
  private final Process driver;
  private final Path log;
  private final long began = System.nanoTime();
  private final long beganMillis = System.currentTimeMillis();

  private Command(Place place, Process driver, Path log) {
    this.place = place;
    this.driver = driver;
    this.log = log;
  }

  /** Starts a command with its arguments. */
  static Command start(Place place, Path log, Map<String, String> environment, List<String> words)
      throws IOException {
    List<String> all = new ArrayList<>();
    all.add(place.root().resolve("jobs/bin/stillhouse").toString());
    all.addAll(place.options());
    all.addAll(words);
    ProcessBuilder builder =
        new ProcessBuilder(all).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().putAll(place.environment());
    builder.environment().putAll(environment);
    return new Command(place, builder.start(), log);
  }

  double seconds() {
    return (System.nanoTime() - began) / 1e9;
  }

  /** Converts a time in milliseconds since 1970 to seconds since the start. */
  double secondsOf(long millis) {
    return (millis - beganMillis) / 1e3;
  }

  ProcessHandle driver() {
    return driver.toHandle();
  }

  boolean isRunning() {
    return driver.isAlive();
  }

  /** Waits until the given number of seconds after the start, or until the command ends. */
  void sleepUntil(double seconds) throws InterruptedException {
    driver.waitFor(Math.max(0, (long) ((seconds - seconds()) * 1000)), TimeUnit.MILLISECONDS);
  }

  boolean endsWithin(long seconds) throws InterruptedException {
    return driver.waitFor(seconds, TimeUnit.SECONDS);
  }

  /** Waits until the command ends and returns its exit code. */
  int code() throws InterruptedException {
    if (!driver.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES)) {
      driver.destroyForcibly();
      throw new IllegalStateException(
          format(
              "the command did not end and was killed after %d minutes; see %s",
              LIMIT_MINUTES, log));
    }
    return driver.exitValue();
  }

  /**
   * Kills the driver with SIGKILL, unless it has ended, and waits until its executors have ended
   * too; returns whether the driver was killed.
   */
  boolean kill() throws InterruptedException {
    List<ProcessHandle> executors = executors();
    driver.destroyForcibly();
    boolean killed = driver.waitFor() == KILLED;
    for (ProcessHandle executor : executors) {
      awaitExit(executor, 30);
    }
    return killed;
  }

  /** Waits until an executor ends, and kills it after a number of seconds. */
  static void awaitExit(ProcessHandle executor, int seconds) throws InterruptedException {
    for (int tenths = 0; isExecutor(executor) && tenths < 10 * seconds; tenths++) {
      Thread.sleep(100);
    }
    executor.destroyForcibly();
  }

  /** Returns the running executors, oldest first. */
  List<ProcessHandle> executors() {
    return place.executorsOf(driver.toHandle()).filter(Command::isExecutor).sorted().toList();
  }

  /**
   * Returns whether a process is a running executor. {@code ProcessHandle} would truncate command
   * lines longer than a page, such as Spark's, and count a zombie as alive.
   */
  private static boolean isExecutor(ProcessHandle process) {
    try {
      return Files.readString(
              Path.of("/proc", Long.toString(process.pid()), "cmdline"),
              StandardCharsets.ISO_8859_1)
          .contains("CoarseGrainedExecutorBackend");
    } catch (IOException e) {
      return false; // it has ended
    }
  }

  @Override
  public String toString() {
    return "see " + log;
  }

  String output() throws IOException {
    return Files.readString(log);
  }

  /** Returns the number of lost tasks in the log. */
  long lostTasks() throws IOException {
    return output().lines().filter(line -> line.contains("Lost task")).count();
  }

  /** Returns whether the command computed anything instead of finding a complete cache. */
  boolean computed() throws IOException {
    return output().lines().anyMatch(line -> line.matches("cache: [0-9,]+ tokens in .*"));
  }

  /** Returns the error messages of the command. */
  List<String> messages() throws IOException {
    return output().lines().filter(line -> line.startsWith("stillhouse: ")).toList();
  }
}

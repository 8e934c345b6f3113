package io.stillhouse.jobs.faults;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** One running {@code stillhouse} command: its driver, its executors, what it said. */
final class Command {
  private static final int LIMIT_MINUTES = 10;

  /** Exit code of a process that SIGKILL has ended. */
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

  /** Starts a command, in its own words, on a place. */
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

  /** Returns a point of time, in milliseconds since 1970, in seconds since the start. */
  double secondsOf(long millis) {
    return (millis - beganMillis) / 1e3;
  }

  ProcessHandle driver() {
    return driver.toHandle();
  }

  boolean runs() {
    return driver.isAlive();
  }

  /** Waits for a point of time after the start, or the end. */
  void sleepUntil(double seconds) throws InterruptedException {
    driver.waitFor(Math.max(0, (long) ((seconds - seconds()) * 1000)), TimeUnit.MILLISECONDS);
  }

  boolean endsWithin(long seconds) throws InterruptedException {
    return driver.waitFor(seconds, TimeUnit.SECONDS);
  }

  /** Waits for the end and returns the exit code. */
  int code() throws InterruptedException {
    if (!driver.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES)) {
      driver.destroyForcibly();
      throw new IllegalStateException(
          "it does not end: killed after %d minutes; see %s".formatted(LIMIT_MINUTES, log));
    }
    return driver.exitValue();
  }

  /**
   * Kills the driver as {@code kill -9} does, unless it has ended, and waits until its executors
   * have noticed; returns whether it was killed.
   */
  boolean kill() throws InterruptedException {
    List<ProcessHandle> executors = executors();
    driver.destroyForcibly();
    boolean killed = driver.waitFor() == KILLED;
    for (ProcessHandle executor : executors) {
      untilGone(executor, 30);
    }
    return killed;
  }

  /** Waits for the end of an executor, and ends it where that takes longer than it may. */
  static void untilGone(ProcessHandle executor, int seconds) throws InterruptedException {
    for (int tenths = 0; isExecutor(executor) && tenths < 10 * seconds; tenths++) {
      Thread.sleep(100);
    }
    executor.destroyForcibly();
  }

  /** Returns the executors that live, those started first in front. */
  List<ProcessHandle> executors() {
    return place.executorsOf(driver.toHandle()).filter(Command::isExecutor).sorted().toList();
  }

  /**
   * Java's own ProcessHandle gives no command line that is longer than a page, as Spark's are, and
   * counts an orphan as alive that has ended and that nobody has waited for.
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

  String said() throws IOException {
    return Files.readString(log);
  }

  /** Returns how many tasks Spark has lost, of those it tells of. */
  long lostTasks() throws IOException {
    return said().lines().filter(line -> line.contains("Lost task")).count();
  }

  /** Returns whether it has computed what its cache lacked, and not found everything done. */
  boolean computed() throws IOException {
    return said().lines().anyMatch(line -> line.matches("cache: [0-9,]+ tokens in .*"));
  }

  /** Returns our own messages. */
  List<String> messages() throws IOException {
    return said().lines().filter(line -> line.startsWith("stillhouse: ")).toList();
  }
}

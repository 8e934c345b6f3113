package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.MiniHdfs;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/** Two drivers on one cache, a stopped executor, and a full disk. */
final class Scenarios {
  private final Laboratory laboratory;
  private final Random random;

  Scenarios(Laboratory laboratory, long seed) {
    this.laboratory = laboratory;
    this.random = new Random(seed);
  }

  /** Starts two drivers on one cache: first at the same time, then the second at a random time. */
  Tally twoDrivers(int points) throws IOException, InterruptedException {
    Tally tally = new Tally("pairs of drivers");
    while (tally.count() < points) {
      Trial trial = Trial.of(laboratory, "two");
      Command first = trial.start();
      if (tally.count() > 0) {
        first.sleepUntil(random.nextDouble() * laboratory.computingSeconds());
      }
      List<Command> both = List.of(first, trial.start());
      int winners = 0;
      for (Command command : both) {
        int code = command.code();
        List<String> messages = command.messages();
        boolean refused =
            code == 2 && messages.size() == 1 && messages.get(0).contains("another run has");
        tally.require(
            code == 0 || refused, format("exit code %d, messages %s; %s", code, messages, command));
        winners += code == 0 && command.computed() ? 1 : 0;
        tally.add(
            refused ? "drivers refused" : command.computed() ? "drivers done" : "drivers idle", 1);
      }
      tally.require(winners == 1, format("%d drivers did the work: %s", winners, both));
      tally.add("pairs of drivers", 1);
      trial.compare(tally);
      trial.remove(tally);
    }
    return tally;
  }

  /**
   * Stops an executor. The command must end while the executor is stopped, and nothing that the
   * executor does after it continues may change the cache. Spark starts no speculative copy on the
   * host of the original, so if all executors are on one host, it must give up the executor because
   * of its missing heartbeats.
   */
  Tally straggler(int points) throws IOException, InterruptedException {
    Tally tally = new Tally("executors stopped");
    while (tally.count() < points) {
      Trial trial = Trial.of(laboratory, "straggler");
      Path events = Files.createDirectories(laboratory.logs().resolve("events-" + tally.count()));
      String log = "spark.eventLog.dir=" + events.toUri();
      Command command =
          laboratory.place().severalHosts()
              ? trial.start(
                  conf(
                      "spark.eventLog.enabled=true",
                      log,
                      "spark.speculation=true",
                      "spark.speculation.multiplier=1.1",
                      "spark.speculation.quantile=0.5",
                      "spark.speculation.interval=100ms"))
              : trial.start(
                  conf(
                      "spark.eventLog.enabled=true",
                      log,
                      "spark.network.timeout=15s",
                      "spark.network.timeoutInterval=2s"));
      // Speculation needs more than half of the tasks to have ended.
      int some = laboratory.shards() / 2 + 1 + random.nextInt(laboratory.shards() / 4);
      tally.require(
          trial.awaitCommitted(command, some, 300), "half of the shards were never committed");
      List<ProcessHandle> executors = command.executors();
      ProcessHandle executor = executors.get(random.nextInt(executors.size()));
      signal("-STOP", executor);
      tally.add("executors stopped", 1);
      boolean ended = command.endsWithin(120);
      tally.add("commands ended while it was stopped", ended ? 1 : 0);
      tally.require(
          ended, format("%s: the command still waits for the stopped executor", trial.cache()));
      signal("-CONT", executor);
      trial.finish(tally, command);
      Trial.Before before = trial.before(tally);
      Command.awaitExit(executor, 60);
      before.requireKept(tally);
      if (laboratory.place().severalHosts()) {
        long copies = EventLog.speculativeSuccesses(events);
        tally.add("speculative copies that won", copies);
        tally.require(copies > 0, format("%s: no speculative copy won", trial.cache()));
      }
      trial.remove(tally);
    }
    return tally;
  }

  private static String[] conf(String... settings) {
    return Arrays.stream(settings)
        .flatMap(setting -> Stream.of("--conf", setting))
        .toArray(String[]::new);
  }

  private static void signal(String signal, ProcessHandle process)
      throws IOException, InterruptedException {
    new ProcessBuilder("kill", signal, Long.toString(process.pid())).start().waitFor();
  }

  /** Writes to a tmpfs that is too small, then frees space and runs the same command again. */
  Tally diskFull() throws IOException, InterruptedException {
    Tally tally = new Tally("disks filled");
    Path disk = Files.createDirectories(laboratory.logs().resolve("disk"));
    long bytes = bytes(Path.of(URI.create(laboratory.undisturbedCache())));
    long size = 3 * bytes + (4 << 20);
    if (run("mount", "-t", "tmpfs", "-o", "size=" + size, "stillhouse", disk.toString()) != 0) {
      System.out.println("faults: disk: skipped, because only root can mount a tmpfs");
      return tally;
    }
    try {
      Path ballast = disk.resolve("ballast");
      Files.write(ballast, new byte[Math.toIntExact(size - 6 * bytes / 10)]);
      Trial trial = Trial.at(laboratory, disk.resolve("full/cache").toUri().toString());
      requireRefused(tally, trial.start(), "a disk is full: the disk of cache.path");
      Files.delete(ballast);
      trial.runAgain(tally);
    } finally {
      run("umount", disk.toString());
    }
    return tally;
  }

  /** Exhausts a quota halfway through a run, then raises it and runs the same command again. */
  Tally quotaExceeded(MiniHdfs hdfs) throws IOException, InterruptedException {
    Tally tally = new Tally("quotas spent");
    Trial trial = Trial.of(laboratory, "quota");
    Command command = trial.start();
    tally.require(
        trial.awaitCommitted(command, laboratory.shards() / 3, 300),
        "a third of the shards was never committed");
    hdfs.limit(trial.parent(), 1);
    requireRefused(tally, command, "quota");
    hdfs.limit(trial.parent(), 1L << 40);
    trial.runAgain(tally);
    trial.remove(tally);
    return tally;
  }

  private static void requireRefused(Tally tally, Command command, String words)
      throws IOException, InterruptedException {
    int code = command.code();
    List<String> messages = command.messages();
    tally.add(tally.counted(), 1);
    tally.require(
        code == 2 && messages.size() == 1 && messages.get(0).contains(words),
        format("exit code %d, messages %s; %s", code, messages, command));
  }

  private static int run(String... words) throws IOException, InterruptedException {
    return new ProcessBuilder(words).inheritIO().start().waitFor();
  }

  private static long bytes(Path directory) throws IOException {
    try (var files = Files.walk(directory)) {
      return files.mapToLong(file -> file.toFile().length()).sum();
    }
  }
}

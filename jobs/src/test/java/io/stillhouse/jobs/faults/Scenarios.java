package io.stillhouse.jobs.faults;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;

/** The faults, each on caches of its own at one place. */
final class Scenarios {
  private static final int KILLS_PER_RUN = 4;
  private static final int FAMILIES = 2;

  private final Place place;
  private final Path logs;
  private final String base;
  private final Path corpus;
  private final Random random;
  private final Configuration hadoop = new Configuration();
  private int runs;
  private Cells reference;
  private int units;

  /** Seconds from the command's start to its first executor and to its end, undisturbed. */
  private double up;

  private double end;

  Scenarios(Place place, Path logs, String base, Path corpus, long seed) {
    this.place = place;
    this.logs = logs;
    this.base = base;
    this.corpus = corpus;
    this.random = new Random(seed);
  }

  /** The run that all others are compared with. */
  Tally undisturbed() throws Exception {
    Tally tally = new Tally("units");
    String cache = base + "undisturbed/cache";
    Command command = cache(cache, Map.of());
    while (command.runs() && command.executors().isEmpty()) {
      Thread.sleep(50);
    }
    if (!command.runs()) {
      throw new IllegalStateException("no executor was seen, so none could be killed");
    }
    up = command.seconds();
    int code = command.code();
    end = command.seconds();
    if (code != 0) {
      throw new IllegalStateException("the undisturbed run fails: " + command.said());
    }
    reference = Cells.of(cache, hadoop);
    units = reference.computedUnits(FAMILIES).size();
    tally.add("units", units);
    tally.compared(reference.against(reference, hadoop));
    return tally;
  }

  Tally executorsKilled(int points) throws Exception {
    Tally tally = new Tally("executors killed");
    while (tally.count() < points) {
      String cache = fresh("executors");
      Command command = cache(cache, Map.of());
      int kills = (int) Math.min(KILLS_PER_RUN, points - tally.count());
      double[] times = random.doubles(kills, up, end).sorted().toArray();
      for (double time : times) {
        command.sleepUntil(time);
        List<ProcessHandle> executors = command.executors();
        while (command.runs() && executors.isEmpty()) {
          Thread.sleep(100);
          executors = command.executors();
        }
        if (command.runs() && executors.get(random.nextInt(executors.size())).destroyForcibly()) {
          tally.add("executors killed", 1);
        }
      }
      finish(tally, command, cache);
    }
    return tally;
  }

  Tally driversKilled(int points) throws Exception {
    Tally tally = new Tally("drivers killed");
    while (tally.count() < points) {
      String cache = fresh("drivers");
      Command command = cache(cache, Map.of());
      command.sleepUntil(up + random.nextDouble() * (end - up));
      if (command.runs()) {
        command.kill();
        tally.add("drivers killed", 1);
      } else {
        end = Math.max(up + 1, end - 2); // the undisturbed run was slower: aim earlier
      }
      runAgain(tally, cache);
    }
    return tally;
  }

  /** Each between two steps that leave the disk in different states. */
  Tally driversKilledAtMoments() throws Exception {
    Tally tally = new Tally("drivers killed");
    // The first entry that is written and published is the plan's own.
    List<String> moments =
        List.of(
            "written:1",
            "planned:1",
            "finished:" + (1 + random.nextInt(units)),
            "written:" + (2 + random.nextInt(units)),
            "published:" + (2 + random.nextInt(units)));
    for (String moment : moments) {
      String cache = fresh("moments");
      Command command = cache(cache, Map.of("STILLHOUSE_CRASH_AT", moment));
      int code = command.code();
      tally.require(code == 137, "no crash at %s: exit code %d".formatted(moment, code));
      tally.add("drivers killed", 1);
      runAgain(tally, cache);
    }
    return tally;
  }

  /** Gives the killed command again: what was committed stays as it is, the rest is computed. */
  private void runAgain(Tally tally, String cache) throws Exception {
    Cells before = Cells.of(cache, hadoop);
    Map<String, String> committed = before.committed();
    int done = before.computedUnits(FAMILIES).size();
    tally.add("committed files at the kill", committed.size());
    finish(tally, cache(cache, Map.of()), cache);
    Cells after = Cells.of(cache, hadoop);
    tally.require(
        after.committed().entrySet().containsAll(committed.entrySet()),
        "a committed file of %s has changed".formatted(cache));
    int computed = after.computedByLastRun();
    tally.require(
        done == units || computed == units - done,
        "%s: %d of %d units were committed, but %d computed again"
            .formatted(cache, done, units, computed));
  }

  /** The first time both plan; then the second comes while the first is somewhere else. */
  Tally twoDrivers(int points) throws Exception {
    Tally tally = new Tally("pairs of drivers");
    while (tally.count() < points) {
      String cache = fresh("two");
      Command first = cache(cache, Map.of());
      if (tally.count() > 0) {
        first.sleepUntil(up + random.nextDouble() * (end - up) / 2);
      }
      Command second = cache(cache, Map.of());
      int[] codes = {first.code(), second.code()};
      tally.add("pairs of drivers", 1);
      for (Command command : List.of(first, second)) {
        boolean won = command.code() == 0;
        tally.add(won ? "drivers done" : "drivers refused", 1);
        List<String> messages = command.messages();
        tally.require(
            won
                || command.code() == 2
                    && messages.size() == 1
                    && messages.get(0).contains("another run has"),
            "exit code %d, messages %s".formatted(command.code(), messages));
      }
      tally.require(codes[0] == 0 || codes[1] == 0, "neither driver has finished");
      tally.add("tasks retried", 0);
      compare(tally, cache);
    }
    return tally;
  }

  Tally straggler() throws Exception {
    Tally tally = new Tally("executors stopped");
    String cache = fresh("straggler");
    List<String> speculation = new ArrayList<>();
    for (String setting :
        List.of(
            "spark.speculation=true",
            "spark.speculation.multiplier=1.1",
            "spark.speculation.quantile=0.5",
            "spark.speculation.interval=100ms")) {
      speculation.addAll(List.of("--conf", setting));
    }
    Command command = cache(cache, Map.of(), speculation.toArray(String[]::new));
    // A third of the tasks have ended: the others can be seen to be slow.
    while (command.runs() && Cells.of(cache, hadoop).computedUnits(FAMILIES).size() < units / 3) {
      Thread.sleep(100);
    }
    ProcessHandle executor = command.executors().get(0);
    signal("-STOP", executor);
    tally.add("executors stopped", 1);
    double until = command.seconds() + 20;
    while (command.runs()
        && command.seconds() < until
        && Cells.of(cache, hadoop).computedUnits(FAMILIES).size() < units) {
      Thread.sleep(100);
    }
    tally.add(
        "ended while it was stopped",
        Cells.of(cache, hadoop).computedUnits(FAMILIES).size() == units ? 1 : 0);
    signal("-CONT", executor);
    finish(tally, command, cache);
    return tally;
  }

  private static void signal(String signal, ProcessHandle process) throws Exception {
    new ProcessBuilder("kill", signal, Long.toString(process.pid())).start().waitFor();
  }

  Tally diskFull() throws Exception {
    Tally tally = new Tally("disks filled");
    Path disk = Files.createDirectories(logs.resolve("disk"));
    long bytes = bytes(Path.of(java.net.URI.create(base + "undisturbed/cache")));
    long size = 3 * bytes + (4 << 20);
    if (run("mount", "-t", "tmpfs", "-o", "size=" + size, "stillhouse", disk.toString()) != 0) {
      System.out.println("faults: disk: skipped, mounting a small tmpfs takes root");
      return tally;
    }
    try {
      Path ballast = disk.resolve("ballast");
      Files.write(ballast, new byte[Math.toIntExact(size - 6 * bytes / 10)]);
      String cache = disk.resolve("full/cache").toUri().toString();
      Command command = cache(cache, Map.of());
      int code = command.code();
      tally.add("disks filled", 1);
      List<String> messages = command.messages();
      tally.require(
          code == 2
              && messages.size() == 1
              && messages.get(0).contains("a disk is full: that of cache.path"),
          "exit code %d, messages %s".formatted(code, messages));
      Files.delete(ballast);
      runAgain(tally, cache);
    } finally {
      run("umount", disk.toString());
    }
    return tally;
  }

  private static int run(String... words) throws IOException, InterruptedException {
    return new ProcessBuilder(words).inheritIO().start().waitFor();
  }

  private static long bytes(Path directory) throws IOException {
    try (var files = Files.walk(directory)) {
      return files.mapToLong(file -> file.toFile().length()).sum();
    }
  }

  private String fresh(String fault) {
    return "%s%s-%d/cache".formatted(base, fault, runs + 1);
  }

  private void finish(Tally tally, Command command, String cache) throws Exception {
    int code = command.code();
    tally.require(code == 0, "exit code %d for %s: %s".formatted(code, cache, command.messages()));
    tally.add("tasks retried", command.lostTasks());
    compare(tally, cache);
  }

  private void compare(Tally tally, String cache) throws IOException {
    tally.compared(Cells.of(cache, hadoop).against(reference, hadoop));
    org.apache.hadoop.fs.Path parent = new org.apache.hadoop.fs.Path(cache).getParent();
    FileSystem fs = parent.getFileSystem(hadoop);
    List<String> beside =
        Arrays.stream(fs.listStatus(parent)).map(status -> status.getPath().getName()).toList();
    tally.require(
        Set.of("cache").containsAll(beside), "%s is left beside %s".formatted(beside, cache));
  }

  private Command cache(String cache, Map<String, String> environment, String... options)
      throws IOException {
    runs++;
    Path scratch = Files.createDirectories(logs.resolve("scratch"));
    Map<String, String> all = new HashMap<>(environment);
    all.put("SPARK_LOCAL_DIRS", scratch.toString());
    List<String> words = new ArrayList<>(List.of(options));
    words.addAll(
        List.of(
            "cache",
            "teacher.path=" + place.root().resolve("core/src/test/golden/bert-tiny-mlm-v1"),
            "corpus.path=" + corpus,
            "corpus.max-length=40",
            "cache.path=" + cache,
            "cache.unit-tokens=400",
            "cache.tokens-per-batch=40",
            "targets.dtype=float32",
            "targets.hidden=[0,1,2,3]",
            "targets.scores=stored",
            "targets.attention=[1,2,3]"));
    return Command.start(place, logs.resolve("run-%03d.log".formatted(runs)), all, words);
  }
}

package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import java.io.IOException;
import java.util.List;
import java.util.Random;
import org.apache.hadoop.fs.FileStatus;

/** Kills executors and drivers with SIGKILL. */
final class Kills {
  /** Less than 4, the number of failures after which Spark gives up a task. */
  private static final int EXECUTORS_PER_RUN = 3;

  private static final int DRIVERS_PER_CACHE = 2;

  private final Laboratory laboratory;
  private final Random random;

  Kills(Laboratory laboratory, long seed) {
    this.laboratory = laboratory;
    this.random = new Random(seed);
  }

  /** Kills executors at seeded fractions of the computing time of the undisturbed run. */
  Tally executors(int points) throws IOException, InterruptedException {
    Tally tally = new Tally("executors killed");
    for (int attempt = 0; attempt < 2 * points && tally.count() < points; attempt++) {
      Trial trial = Trial.of(laboratory, "executors");
      Command command = trial.start();
      int kills = (int) Math.min(EXECUTORS_PER_RUN, points - tally.count());
      double[] fractions = random.doubles(kills).sorted().toArray();
      double began = trial.awaitComputing(command);
      for (double fraction : fractions) {
        command.sleepUntil(began + fraction * laboratory.computingSeconds());
        killOne(tally, command);
      }
      trial.finish(tally, command);
      trial.remove(tally);
    }
    tally.require(tally.count() == points, "runs ended too early for so many kills");
    return tally;
  }

  /** Kills executors while the corpus is read, when only Spark's own retries help. */
  Tally executorsInPlanning(int points) throws IOException, InterruptedException {
    Tally tally = new Tally("executors killed");
    for (int attempt = 0; attempt < 2 * points && tally.count() < points; attempt++) {
      Trial trial = Trial.of(laboratory, "planning");
      Command command = trial.start();
      while (command.isRunning() && !planning(trial)) {
        Thread.sleep(30);
      }
      command.sleepUntil(command.seconds() + 2 * random.nextDouble());
      killOne(tally, command);
      trial.finish(tally, command);
      trial.remove(tally);
    }
    tally.require(tally.count() == points, "runs ended too early for so many kills");
    return tally;
  }

  private static boolean planning(Trial trial) throws IOException {
    if (!trial.fileSystem().exists(trial.parent())) {
      return false;
    }
    for (FileStatus beside : trial.fileSystem().listStatus(trial.parent())) {
      if (beside.getPath().getName().startsWith("_cache-planning-")) {
        return true;
      }
    }
    return false;
  }

  private void killOne(Tally tally, Command command) throws InterruptedException {
    List<ProcessHandle> executors = command.executors();
    while (command.isRunning()
        && executors.isEmpty()) { // the last killed executor is not replaced yet
      Thread.sleep(50);
      executors = command.executors();
    }
    if (command.isRunning() && executors.get(random.nextInt(executors.size())).destroyForcibly()) {
      tally.add("executors killed", 1);
    }
  }

  /** Kills the driver repeatedly, and runs the same command again each time. */
  Tally drivers(int points) throws IOException, InterruptedException {
    Tally tally = new Tally("drivers killed");
    for (int attempt = 0; attempt < 2 * points && tally.count() < points; attempt++) {
      Trial trial = Trial.of(laboratory, "drivers");
      int kills = (int) Math.min(DRIVERS_PER_CACHE, points - tally.count());
      for (int kill = 0; kill < kills; kill++) {
        Trial.Before before = trial.before(tally);
        double left = 1 - (double) trial.cells().computedShards().size() / laboratory.shards();
        Command command = trial.start();
        double began = trial.awaitComputing(command);
        command.sleepUntil(began + random.nextDouble() * left * laboratory.computingSeconds());
        if (command.kill()) {
          tally.add("drivers killed", 1);
        } else {
          laboratory.shortenEstimate();
        }
        before.requireKept(tally);
      }
      trial.runAgain(tally);
      trial.remove(tally);
    }
    tally.require(tally.count() == points, "runs ended too early for so many kills");
    return tally;
  }

  /** Makes drivers exit between two steps that leave the disk in different states. */
  Tally driversAtMoments() throws IOException, InterruptedException {
    Tally tally = new Tally("drivers killed");
    int shards = laboratory.shards();
    // The first entry that is written and published is that of the plan.
    List<String> moments =
        List.of(
            "written:1",
            "published:1",
            "planned:1",
            "finished:" + (1 + random.nextInt(shards)),
            "written:" + (2 + random.nextInt(shards)),
            "written:" + (1 + shards),
            "published:" + (2 + random.nextInt(shards)),
            "published:" + (1 + shards));
    for (String moment : moments) {
      Trial trial = Trial.of(laboratory, "moments");
      int code = trial.startAndCrashAt(moment).code();
      tally.require(code == 137, format("no crash at %s: exit code %d", moment, code));
      tally.add("drivers killed", 1);
      trial.runAgain(tally);
      trial.remove(tally);
    }
    return tally;
  }
}

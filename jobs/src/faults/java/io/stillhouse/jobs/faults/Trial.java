package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** A cache, the commands that write it, and the conditions that it must meet at the end. */
final class Trial {
  private final Laboratory laboratory;
  private final String cache;
  private int begunBefore;

  private Trial(Laboratory laboratory, String cache) {
    this.laboratory = laboratory;
    this.cache = cache;
  }

  /** Returns a trial with a cache at an unused path. */
  static Trial of(Laboratory laboratory, String fault) {
    return new Trial(laboratory, laboratory.fresh(fault));
  }

  /** Returns a trial with a cache at a given path. */
  static Trial at(Laboratory laboratory, String cache) {
    return new Trial(laboratory, cache);
  }

  String cache() {
    return cache;
  }

  Path parent() {
    return new Path(cache).getParent();
  }

  FileSystem fileSystem() throws IOException {
    return parent().getFileSystem(laboratory.hadoop());
  }

  Command start(String... options) throws IOException {
    begunBefore = Cells.countStarted(cache, laboratory.hadoop());
    return laboratory.cache(cache, Map.of(), List.of(options));
  }

  /** Starts a command that ends itself, as if killed, at a {@link CrashPoint}. */
  Command startAndCrashAt(String moment) throws IOException {
    return laboratory.cache(cache, Map.of("STILLHOUSE_CRASH_AT", moment), List.of());
  }

  Cells cells() throws IOException {
    return Cells.of(cache, laboratory.hadoop());
  }

  /**
   * Waits until the first shard begins or the command ends; returns the seconds since its start.
   */
  double awaitComputing(Command command) throws IOException, InterruptedException {
    while (command.isRunning() && Cells.countStarted(cache, laboratory.hadoop()) == begunBefore) {
      Thread.sleep(30);
    }
    return command.seconds();
  }

  /**
   * Waits until a number of shards are committed, or a time has passed; returns whether they are.
   */
  boolean awaitCommitted(Command command, int shards, double seconds)
      throws IOException, InterruptedException {
    double until = command.seconds() + seconds;
    while (command.seconds() < until) {
      if (cells().computedShards().size() >= shards) {
        return true;
      }
      if (!command.isRunning()) {
        return cells().computedShards().size() >= shards;
      }
      Thread.sleep(50);
    }
    return false;
  }

  /** Requires that a command succeeds and that its cache equals the undisturbed one. */
  void finish(Tally tally, Command command) throws IOException, InterruptedException {
    int code = command.code();
    tally.require(
        code == 0, format("%s: exit code %d, %s; %s", cache, code, command.messages(), command));
    tally.add("tasks retried", command.lostTasks());
    compare(tally);
  }

  /**
   * Runs the killed command again. Committed files must not change, and nothing of their shards may
   * be computed again.
   */
  void runAgain(Tally tally) throws IOException, InterruptedException {
    Before before = before(tally);
    finish(tally, start());
    before.requireKept(tally);
    int computed = cells().computedByLastRun();
    int missing = laboratory.shards() - before.shards.size();
    tally.require(
        missing == 0 || computed == missing,
        format("%s: %d shards were missing, but %d were computed", cache, missing, computed));
  }

  /** Records what is committed. */
  Before before(Tally tally) throws IOException {
    Cells cells = cells();
    Set<Integer> shards = cells.computedShards();
    tally.add("committed shards kept", shards.size());
    return new Before(cells.committed(), shards, cells.filesOf(shards));
  }

  /** What was committed before a command ran again. */
  final class Before {
    private final Map<String, String> committed;
    private final Set<Integer> shards;
    private final Set<String> files;

    private Before(Map<String, String> committed, Set<Integer> shards, Set<String> files) {
      this.committed = committed;
      this.shards = shards;
      this.files = files;
    }

    void requireKept(Tally tally) throws IOException {
      Cells after = cells();
      tally.require(
          after.committed().entrySet().containsAll(committed.entrySet()),
          format("%s: a committed file was changed or is no longer in the manifest", cache));
      tally.require(
          after.filesOf(shards).equals(files),
          format("%s: targets of a committed shard were written again", cache));
    }
  }

  /** Requires that the cache has the cells of the undisturbed one and no other files next to it. */
  void compare(Tally tally) throws IOException {
    Cells.Difference difference = cells().compareTo(laboratory.reference());
    tally.compared(cache, difference);
    List<String> beside =
        Arrays.stream(fileSystem().listStatus(parent()))
            .map(FileStatus::getPath)
            .map(Path::getName)
            .toList();
    tally.require(
        Set.of("cache").containsAll(beside), format("%s was left next to %s", beside, cache));
  }

  /** Removes the files of executors, and the cache unless something failed. */
  void remove(Tally tally) throws IOException {
    laboratory.clean();
    if (tally.passed()) {
      fileSystem().delete(parent(), true);
    }
  }
}

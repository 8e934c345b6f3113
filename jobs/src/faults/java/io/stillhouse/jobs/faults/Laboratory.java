package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;

/** A place, and the undisturbed cache that all caches created there are compared with. */
final class Laboratory {
  private final Place place;
  private final Path logs;
  private final String base;
  private final Path corpus;
  private final Configuration hadoop;
  private final String undisturbed;
  private final Cells reference;
  private final int shards;
  private double computingSeconds;
  private int runs;

  /**
   * Runs the command once without faults.
   *
   * @param logs directory for the logs of commands
   * @param base URI of a directory for caches
   */
  Laboratory(Place place, Path logs, String base, Path corpus, Configuration hadoop)
      throws IOException, InterruptedException {
    this.place = place;
    this.logs = logs;
    this.base = base;
    this.corpus = corpus;
    this.hadoop = hadoop;
    Trial trial = Trial.of(this, "undisturbed");
    undisturbed = trial.cache();
    Command command = trial.start();
    double began = trial.awaitComputing(command);
    if (command.executors().isEmpty()) {
      throw new IllegalStateException("no executor was found, so none could be killed");
    }
    if (command.code() != 0) {
      throw new IllegalStateException("the undisturbed run failed: " + command.output());
    }
    reference = Cells.of(trial.cache(), hadoop);
    shards = reference.computedShards().size();
    computingSeconds = command.secondsOf(reference.lastEntryMillis()) - began;
  }

  Tally undisturbed() throws IOException {
    Tally tally = new Tally("shards");
    tally.add("shards", shards);
    tally.add("milliseconds of computing", Math.round(1000 * computingSeconds));
    tally.compared(undisturbed, reference.compareTo(reference));
    return tally;
  }

  /** Returns the seconds from the start of the first shard to the end of the last. */
  double computingSeconds() {
    return computingSeconds;
  }

  /** Makes later kills happen earlier, because a run ended before its kill. */
  void shortenEstimate() {
    computingSeconds *= 0.8;
  }

  Place place() {
    return place;
  }

  Path logs() {
    return logs;
  }

  Configuration hadoop() {
    return hadoop;
  }

  String undisturbedCache() {
    return undisturbed;
  }

  Cells reference() {
    return reference;
  }

  int shards() {
    return shards;
  }

  /** Removes the files of killed executors. */
  void clean() throws IOException {
    place.clean();
    FileUtils.deleteDirectory(scratch().toFile());
  }

  private Path scratch() {
    return logs.resolve("scratch");
  }

  /** Returns an unused path for a cache. */
  String fresh(String fault) {
    return format("%s/%s-%03d/cache", base, fault, runs + 1);
  }

  /** Starts the cache command. */
  Command cache(String cache, Map<String, String> environment, List<String> options)
      throws IOException {
    runs++;
    Path scratch = Files.createDirectories(scratch());
    Map<String, String> all = new HashMap<>(environment);
    all.put("SPARK_LOCAL_DIRS", scratch.toString());
    List<String> words = new ArrayList<>(options);
    words.addAll(
        List.of(
            "cache",
            "teacher.path=" + place.root().resolve("core/src/test/golden/bert-tiny-mlm-v1"),
            "corpus.path=" + corpus,
            "corpus.max-length=40",
            "cache.path=" + cache,
            "cache.shard-tokens=400",
            "cache.batch-tokens=40",
            "targets.dtype=float32",
            "targets.hidden=[0,1,2,3]",
            "targets.scores=stored",
            "targets.attention=[1,2,3]"));
    return Command.start(place, logs.resolve(format("run-%03d.log", runs)), all, words);
  }
}

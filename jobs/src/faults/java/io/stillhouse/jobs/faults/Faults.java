package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import com.google.gson.GsonBuilder;
import io.stillhouse.jobs.MiniHdfs;
import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.jspecify.annotations.Nullable;

/**
 * Injects faults into the real cache command and compares its cache with that of an undisturbed
 * run, cell by cell. This is the main class of {@code jobs/cluster/faults}.
 */
final class Faults {
  private static final int LINES = 1500;

  private final Map<String, String> options;
  private final Path root;
  private final Path directory;
  private final Map<String, Object> summary = new LinkedHashMap<>();
  private boolean failed;

  private Faults(Map<String, String> options, Path root, Path directory) {
    this.options = options;
    this.root = root;
    this.directory = directory;
  }

  /** Takes the repository, a working directory, and then pairs such as {@code --points 3}. */
  public static void main(String[] args) throws Exception {
    Map<String, String> options =
        new HashMap<>(
            Map.of("--points", "3", "--seed", "1", "--places", "local-cluster,standalone,hdfs"));
    options.put("--faults", "executors,planning,drivers,moments,two,straggler,disk");
    for (int i = 2; i < args.length; i += 2) {
      if (!options.containsKey(args[i]) || i + 1 == args.length) {
        throw new IllegalArgumentException(
            format(
                "'%s' is not an option with a value; the options are %s",
                args[i], options.keySet()));
      }
      options.put(args[i], args[i + 1]);
    }
    Faults faults = new Faults(options, Path.of(args[0]), Path.of(args[1]));
    faults.run();
    System.exit(faults.failed ? 1 : 0);
  }

  private void run() throws Exception {
    Path corpus = directory.resolve("corpus.txt");
    Random random = new Random(seed());
    StringBuilder text = new StringBuilder();
    for (int line = 0; line < LINES; line++) {
      text.append(Tiny.words(random, 5 + random.nextInt(30))).append(".\n\n");
    }
    Files.writeString(corpus, text);
    for (String name : options.get("--places").split(",")) {
      Path there = Files.createDirectories(directory.resolve(name));
      String base = there.toUri().toString().replaceFirst("/$", "");
      switch (name) {
        case "local-cluster" -> {
          try (Place place = Place.localCluster(name, root, Map.of())) {
            all(new Laboratory(place, there, base, corpus, new Configuration()), null);
          }
        }
        case "standalone" -> {
          Path distribution = Path.of(System.getenv("SPARK_DISTRIBUTION"));
          try (Place place = Place.standalone(root, distribution, there)) {
            all(new Laboratory(place, there, base, corpus, new Configuration()), null);
          }
        }
        case "hdfs" -> {
          // An HDFS name service, which executors know only from spark.hadoop.* settings.
          try (MiniHdfs hdfs = MiniHdfs.start(there.resolve("dfs"));
              Place place = Place.localCluster(name, root, hdfs.sparkSettings())) {
            all(
                new Laboratory(place, there, hdfs.uri() + "/faults", corpus, hdfs.configuration()),
                hdfs);
          }
        }
        default -> throw new IllegalArgumentException(format("unknown place '%s'", name));
      }
    }
  }

  private void all(Laboratory laboratory, @Nullable MiniHdfs hdfs) throws IOException {
    int points = Integer.parseInt(options.get("--points"));
    Kills kills = new Kills(laboratory, seed());
    Scenarios scenarios = new Scenarios(laboratory, seed());
    report(laboratory, "undisturbed", laboratory::undisturbed);
    for (String fault : options.get("--faults").split(",")) {
      report(
          laboratory,
          fault,
          switch (fault) {
            case "executors" -> () -> kills.executors(points);
            case "planning" -> () -> kills.executorsInPlanning((points + 4) / 5);
            case "drivers" -> () -> kills.drivers((points + 1) / 2);
            case "moments" -> kills::driversAtMoments;
            case "two" -> () -> scenarios.twoDrivers((points + 4) / 5);
            case "straggler" -> () -> scenarios.straggler((points + 9) / 10);
            case "disk" -> hdfs == null ? scenarios::diskFull : () -> scenarios.quotaExceeded(hdfs);
            default -> throw new IllegalArgumentException(format("unknown fault '%s'", fault));
          });
    }
  }

  /** One kind of fault. */
  private interface Fault {
    Tally tally() throws Exception;
  }

  /** Reports the result of one kind of fault; an exception in the harness counts as a failure. */
  private void report(Laboratory laboratory, String name, Fault fault) throws IOException {
    Tally tally;
    try {
      tally = fault.tally();
    } catch (Exception e) {
      e.printStackTrace();
      tally = new Tally(name);
      tally.require(false, e.toString());
    }
    String place = laboratory.place().name();
    System.out.println(format("faults: %s, %s: %s", place, name, tally.words()));
    summary.put(format("%s, %s", place, name), tally.counts());
    failed |= !tally.passed();
    Files.writeString(
        directory.resolve("faults.json"),
        new GsonBuilder().setPrettyPrinting().create().toJson(summary) + "\n");
  }

  private long seed() {
    return Long.parseLong(options.get("--seed"));
  }
}

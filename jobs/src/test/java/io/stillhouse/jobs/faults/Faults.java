package io.stillhouse.jobs.faults;

import com.google.gson.GsonBuilder;
import io.stillhouse.jobs.Tiny;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/**
 * Kills, stops and starves the real cache command and compares what is left with an undisturbed
 * run, cell by cell. Called by jobs/cluster/faults; no test, since it takes minutes.
 */
final class Faults {
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

  /** Arguments: the repository, a directory to work in, then pairs such as {@code --points 3}. */
  public static void main(String[] args) throws Exception {
    Map<String, String> options =
        new HashMap<>(
            Map.of("--points", "3", "--seed", "1", "--places", "local-cluster,standalone,hdfs"));
    options.put("--faults", "executors,drivers,moments,two,straggler,disk");
    for (int i = 2; i + 1 < args.length; i += 2) {
      if (!options.containsKey(args[i])) {
        throw new IllegalArgumentException(
            "unknown option '%s'; there are %s".formatted(args[i], options.keySet()));
      }
      options.put(args[i], args[i + 1]);
    }
    Faults faults = new Faults(options, Path.of(args[0]), Path.of(args[1]));
    faults.run();
    System.out.println(new GsonBuilder().setPrettyPrinting().create().toJson(faults.summary));
    System.exit(faults.failed ? 1 : 0);
  }

  private void run() throws Exception {
    Path corpus = directory.resolve("corpus.txt");
    Random random = new Random(Long.parseLong(options.get("--seed")));
    StringBuilder text = new StringBuilder();
    for (int line = 0; line < 900; line++) {
      text.append(Tiny.words(random, 5 + random.nextInt(30))).append(".\n\n");
    }
    Files.writeString(corpus, text);
    for (String name : options.get("--places").split(",")) {
      Path there = Files.createDirectories(directory.resolve(name));
      switch (name) {
        case "local-cluster" -> {
          try (Place place = Place.localCluster(root)) {
            all(place, there, there.toUri().toString(), corpus);
          }
        }
        case "standalone" -> {
          Path distribution = Path.of(System.getenv("SPARK_DISTRIBUTION"));
          try (Place place = Place.standalone(root, distribution, there)) {
            all(place, there, there.toUri().toString(), corpus);
          }
        }
        case "hdfs" -> {
          Configuration hadoop = new Configuration();
          hadoop.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, there.resolve("dfs").toString());
          try (MiniDFSCluster dfs = new MiniDFSCluster.Builder(hadoop).numDataNodes(1).build();
              Place place = Place.localCluster(root)) {
            dfs.waitActive();
            all(place, there, dfs.getURI() + "/faults/", corpus);
          }
        }
        default -> throw new IllegalArgumentException("unknown place '%s'".formatted(name));
      }
    }
  }

  private void all(Place place, Path logs, String base, Path corpus) throws Exception {
    String name = logs.getFileName().toString();
    Scenarios scenarios =
        new Scenarios(place, logs, base, corpus, Long.parseLong(options.get("--seed")));
    int points = Integer.parseInt(options.get("--points"));
    say(name, "undisturbed", scenarios.undisturbed());
    for (String fault : options.get("--faults").split(",")) {
      if (fault.equals("disk") && name.equals("hdfs")) {
        continue; // a tmpfs under a data node's directory would fill in the same way
      }
      Tally tally =
          switch (fault) {
            case "executors" -> scenarios.executorsKilled(points);
            case "drivers" -> scenarios.driversKilled((points + 1) / 2);
            case "moments" -> scenarios.driversKilledAtMoments();
            case "two" -> scenarios.twoDrivers((points + 4) / 5);
            case "straggler" -> scenarios.straggler();
            case "disk" -> scenarios.diskFull();
            default -> throw new IllegalArgumentException("unknown fault '%s'".formatted(fault));
          };
      say(name, fault, tally);
    }
  }

  private void say(String place, String fault, Tally tally) {
    System.out.println("faults: %s, %s: %s".formatted(place, fault, tally.words()));
    summary.put("%s %s".formatted(place, fault).toLowerCase(Locale.ROOT), tally.counts());
    failed |= !tally.passed();
  }
}

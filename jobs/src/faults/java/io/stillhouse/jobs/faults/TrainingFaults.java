package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import com.google.gson.GsonBuilder;
import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.commons.io.FileUtils;

/**
 * Injects faults into the real train command and compares the final weights with those of an
 * undisturbed run, bit for bit. This is the main class of {@code jobs/cluster/faults train}.
 */
final class TrainingFaults {
  private static final int ROWS = 1200;

  private final Map<String, String> options;
  private final Path root;
  private final Path directory;
  private final Random random;
  private final Map<String, Object> summary = new LinkedHashMap<>();
  private final Memory memory = new Memory();
  private boolean failed;
  private int runs;
  private byte[] undisturbed;

  private TrainingFaults(Map<String, String> options, Path root, Path directory) {
    this.options = options;
    this.root = root;
    this.directory = directory;
    this.random = new Random(Long.parseLong(options.get("--seed")));
  }

  /** Takes the repository, a working directory, and then pairs such as {@code --soak 100}. */
  public static void main(String[] args) throws Exception {
    Map<String, String> options =
        new HashMap<>(Map.of("--points", "1", "--seed", "1", "--soak", "10", "--rounds", "12"));
    options.put("--faults", "executors,mapped,summing,drivers,moments,straggler,soak");
    for (int i = 2; i < args.length; i += 2) {
      if (!options.containsKey(args[i]) || i + 1 == args.length) {
        throw new IllegalArgumentException(
            format(
                "'%s' is not an option with a value; the options are %s",
                args[i], options.keySet()));
      }
      options.put(args[i], args[i + 1]);
    }
    TrainingFaults faults = new TrainingFaults(options, Path.of(args[0]), Path.of(args[1]));
    faults.run();
    System.exit(faults.failed ? 1 : 0);
  }

  private void run() throws Exception {
    Path corpus = Tiny.labelled(directory.resolve("rows.tsv"), ROWS, "LABEL_2", "LABEL_0");
    Place alone = Place.localCluster("local-cluster", root, 1, Map.of());
    require(
        start(
            alone,
            Map.of(),
            List.of(
                "cache",
                "teacher.path=" + root.resolve("core/src/test/golden/bert-tiny-cls-v1"),
                "corpus.path=" + corpus,
                "corpus.text=text",
                "corpus.label=label",
                "corpus.max-length=40",
                "cache.path=" + directory.resolve("cache"),
                "cache.shard-tokens=1024",
                "targets.hidden=[0,3]",
                "targets.attention=[3]")));
    int rounds = Integer.parseInt(options.get("--rounds"));
    require(train(alone, "undisturbed", rounds));
    undisturbed = weights("undisturbed");
    int points = Integer.parseInt(options.get("--points"));
    for (String fault : options.get("--faults").split(",")) {
      report(
          fault,
          switch (fault) {
            case "executors" -> tally -> numbers(tally, rounds);
            case "mapped" -> tally -> killAt(tally, "mapped", points, rounds);
            case "summing" -> tally -> killAt(tally, "summing", points, rounds);
            case "drivers" -> tally -> drivers(tally, points, rounds);
            case "moments" -> tally -> moments(tally, rounds);
            case "straggler" -> tally -> straggler(tally, points, rounds);
            case "soak" -> this::soak;
            default -> throw new IllegalArgumentException(format("unknown fault '%s'", fault));
          });
    }
  }

  /** One kind of fault. */
  private interface Fault {
    void into(Tally tally) throws Exception;
  }

  private void report(String name, Fault fault) throws IOException {
    Tally tally = new Tally(name);
    try {
      fault.into(tally);
    } catch (Exception e) {
      e.printStackTrace();
      tally.require(false, e.toString());
    }
    System.out.println(format("faults: training, %s: %s", name, tally.words()));
    summary.put(name, tally.counts());
    failed |= !tally.passed();
    Files.writeString(
        directory.resolve("faults-train.json"),
        new GsonBuilder().setPrettyPrinting().create().toJson(summary) + "\n");
  }

  /** Trains the same recipe on one, two and four executors. */
  private void numbers(Tally tally, int rounds) throws Exception {
    for (int executors : new int[] {1, 2, 4}) {
      try (Place place = Place.localCluster("local-cluster", root, executors, Map.of())) {
        finish(tally, "on-" + executors, train(place, "on-" + executors, rounds));
        tally.add("executors", executors);
      }
    }
  }

  /** Makes an executor exit once, at a point of its task. */
  private void killAt(Tally tally, String moment, int points, int rounds) throws Exception {
    for (int point = 1; point <= points; point++) {
      String name = moment + "-" + point;
      Path once = directory.resolve(name + ".crashed");
      Map<String, String> executors =
          Map.of(
              "spark.executorEnv.STILLHOUSE_CRASH_AT",
              moment + ":" + (1 + random.nextInt(rounds / 2)),
              "spark.executorEnv.STILLHOUSE_CRASH_ONCE",
              once.toString());
      try (Place place = Place.localCluster("local-cluster", root, 2, executors)) {
        finish(tally, name, train(place, name, rounds));
      }
      tally.require(Files.exists(once), "no executor exited at " + moment);
      tally.add(moment, 1);
    }
  }

  /** Kills drivers at random times and starts the same command again. */
  private void drivers(Tally tally, int points, int rounds) throws Exception {
    try (Place place = Place.localCluster("local-cluster", root, 2, Map.of())) {
      for (int point = 1; point <= points; point++) {
        String name = "drivers-" + point;
        Command command = train(place, name, rounds);
        awaitCheckpoint(command, name, 1 + random.nextInt(rounds / 2));
        command.sleepUntil(command.seconds() + random.nextDouble());
        tally.add("drivers", command.kill() ? 1 : 0);
        finish(tally, name, train(place, name, rounds));
      }
    }
  }

  /** Makes drivers exit between two steps that leave the disk in different states. */
  private void moments(Tally tally, int rounds) throws Exception {
    // Executors of local-cluster inherit the driver's environment.
    Map<String, String> drivers = Map.of("spark.executorEnv.STILLHOUSE_CRASH_AT", "never");
    try (Place place = Place.localCluster("local-cluster", root, 2, drivers)) {
      for (String moment :
          List.of("summed:1", "summed:" + rounds / 2, "copied:1", "copied:" + rounds / 2)) {
        String name = moment.replace(':', '-');
        int code = start(place, Map.of("STILLHOUSE_CRASH_AT", moment), recipe(name, rounds)).code();
        tally.require(code == 137, format("no crash at %s: exit code %d", moment, code));
        tally.add("moments", 1);
        finish(tally, name, train(place, name, rounds));
      }
    }
  }

  /** Stops an executor under speculation; the run must end without it. */
  private void straggler(Tally tally, int points, int rounds) throws Exception {
    Map<String, String> settings =
        Map.of(
            "spark.speculation", "true",
            "spark.speculation.multiplier", "1.1",
            "spark.speculation.quantile", "0.5",
            "spark.speculation.interval", "100ms",
            "spark.network.timeout", "15s",
            "spark.network.timeoutInterval", "2s");
    try (Place place = Place.localCluster("local-cluster", root, 2, settings)) {
      for (int point = 1; point <= points; point++) {
        String name = "straggler-" + point;
        Command command = train(place, name, rounds);
        awaitCheckpoint(command, name, 1 + random.nextInt(rounds / 2));
        ProcessHandle executor = any(command.executors());
        signal("-STOP", executor);
        tally.add("straggler", 1);
        boolean ended = command.endsWithin(180);
        tally.require(ended, name + ": the command still waits for the stopped executor");
        signal("-CONT", executor);
        finish(tally, name, command);
        Command.awaitExit(executor, 60);
        tally.require(
            Arrays.equals(weights(name), undisturbed), name + ": the weights changed afterwards");
      }
    }
  }

  /** Runs one long training under many faults of all kinds at random times. */
  private void soak(Tally tally) throws Exception {
    int faults = Integer.parseInt(options.get("--soak"));
    int rounds = 8 * faults;
    try (Place alone = Place.localCluster("local-cluster", root, 1, Map.of())) {
      require(train(alone, "soak-undisturbed", rounds));
    }
    Map<String, String> settings =
        Map.of(
            "spark.task.maxFailures", "1000",
            "spark.stage.maxConsecutiveAttempts", "1000",
            "spark.deploy.maxExecutorRetries", "-1",
            "spark.network.timeout", "15s",
            "spark.network.timeoutInterval", "2s");
    try (Place place = Place.localCluster("local-cluster", root, 2, settings)) {
      Command command = train(place, "soak", rounds);
      while (tally.count() < faults) {
        command.sleepUntil(command.seconds() + 1 + 4 * random.nextDouble());
        memory.sample(command);
        if (!command.isRunning()) {
          if (command.code() == 0) {
            break; // finished before the last fault
          }
          tally.add("commands that failed and were started again", 1);
          command = train(place, "soak", rounds);
          continue;
        }
        List<ProcessHandle> executors = command.executors();
        int kind = random.nextInt(10);
        if (kind < 2) {
          if (command.kill()) {
            tally.add("soak", 1);
            tally.add("drivers killed", 1);
          }
          command = train(place, "soak", rounds);
        } else if (!executors.isEmpty()) {
          ProcessHandle executor = any(executors);
          if (kind < 7) {
            executor.destroyForcibly();
            tally.add("executors killed", 1);
          } else {
            signal("-STOP", executor);
            command.sleepUntil(command.seconds() + 1 + 3 * random.nextDouble());
            signal("-CONT", executor);
            tally.add("executors stopped for seconds", 1);
          }
          tally.add("soak", 1);
        }
      }
      while (command.isRunning()) {
        command.sleepUntil(command.seconds() + 2);
        memory.sample(command);
      }
      int code = command.code();
      tally.require(code == 0, format("exit code %d; %s", code, command));
      tally.require(tally.count() == faults, "the run ended too early for so many faults");
      tally.add("rounds", rounds);
      tally.add("peak megabytes of a driver", memory.driver());
      tally.add("peak megabytes of an executor", memory.executor());
      compare(tally, "soak", weights("soak-undisturbed"));
    }
  }

  private ProcessHandle any(List<ProcessHandle> executors) {
    return executors.get(random.nextInt(executors.size()));
  }

  private static void signal(String signal, ProcessHandle process)
      throws IOException, InterruptedException {
    new ProcessBuilder("kill", signal, Long.toString(process.pid())).start().waitFor();
  }

  private void awaitCheckpoint(Command command, String name, int rounds)
      throws IOException, InterruptedException {
    Path history = directory.resolve(name).resolve("_checkpoints/student/history");
    while (command.isRunning()) {
      if (Files.isDirectory(history)) {
        try (var files = Files.list(history)) {
          if (files.count() > rounds) {
            return;
          }
        }
      }
      Thread.sleep(30);
    }
  }

  private Command train(Place place, String name, int rounds) throws IOException {
    return start(place, Map.of(), recipe(name, rounds));
  }

  private List<String> recipe(String name, int rounds) {
    return List.of(
        "train",
        "cache.path=" + directory.resolve("cache"),
        "train.path=" + directory.resolve(name),
        "student.name=student",
        "student.layers=1",
        "student.hidden-size=16",
        "student.init=random",
        "student.dropout=0.1",
        "loss.soft-label.weight=1",
        "loss.hidden-mse.weight=1",
        "loss.attention-mse.weight=1",
        "train.epochs=" + Integer.MAX_VALUE / 2,
        "train.max-steps=" + rounds * 2 * 10,
        "train.batch-size=16",
        "train.learning-rate=1e-3",
        "train.threads=1",
        "train.baseline=false",
        "train.workers=2",
        "train.round-steps=10",
        "train.metrics=none",
        "train.moments=kept");
  }

  private Command start(Place place, Map<String, String> environment, List<String> words)
      throws IOException {
    Map<String, String> all = new HashMap<>(environment);
    all.put("SPARK_LOCAL_DIRS", Files.createDirectories(directory.resolve("scratch")).toString());
    List<String> command = new ArrayList<>(words);
    return Command.start(place, directory.resolve(format("train-%03d.log", ++runs)), all, command);
  }

  private static void require(Command command) throws IOException, InterruptedException {
    if (command.code() != 0) {
      throw new IllegalStateException("an undisturbed run failed: " + command.output());
    }
  }

  private void finish(Tally tally, String name, Command command)
      throws IOException, InterruptedException {
    int code = command.code();
    tally.require(
        code == 0, format("%s: exit code %d, %s; %s", name, code, command.messages(), command));
    tally.add("tasks retried", command.lostTasks());
    compare(tally, name, undisturbed);
  }

  private void compare(Tally tally, String name, byte[] expected) throws IOException {
    tally.add("runs", 1);
    boolean equal = Arrays.equals(weights(name), expected);
    tally.add("students equal bit for bit", equal ? 1 : 0);
    tally.require(equal, name + ": the weights differ from the undisturbed run");
    Path checkpoints = directory.resolve(name).resolve("_checkpoints/student");
    tally.require(!Files.exists(checkpoints), checkpoints + " was not deleted");
    FileUtils.deleteDirectory(directory.resolve("scratch").toFile());
  }

  private byte[] weights(String name) throws IOException {
    return Files.readAllBytes(directory.resolve(name).resolve("student/model.safetensors"));
  }
}

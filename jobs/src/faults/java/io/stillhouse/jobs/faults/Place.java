package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;

/**
 * Where commands run: on executors that the driver starts, or on a standalone cluster.
 *
 * @param work directories in which executors run, each with a copy of the jar
 * @param severalHosts whether Spark sees the executors on different hosts
 */
record Place(
    String name,
    Path root,
    List<String> options,
    Map<String, String> environment,
    List<Process> daemons,
    List<Path> work,
    boolean severalHosts)
    implements AutoCloseable {

  private static final List<String> SMALL =
      List.of("--driver-memory", "1g", "--conf", "spark.ui.enabled=false");

  /** Without Java's second compiler, a command takes half as many seconds. */
  private static final Map<String, String> QUICK =
      Map.of("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");

  /** Returns the options that add the crash points to a command. */
  private static List<String> crashing(Path root) {
    Path jar = CrashPlugin.jar(root.resolve("jobs/target/crash-points.jar"));
    return List.of(
        "--jars", jar.toString(), "--conf", "spark.plugins=" + CrashPlugin.class.getName());
  }

  /** Returns a place with two executors, started by the driver. */
  static Place localCluster(String name, Path root, Map<String, String> settings) {
    return localCluster(name, root, 2, settings);
  }

  /** Returns a place with executors that the driver starts. */
  static Place localCluster(String name, Path root, int executors, Map<String, String> settings) {
    List<String> options =
        new ArrayList<>(
            List.of(
                "--master",
                format("local-cluster[%d,1,1024]", executors),
                "--executor-memory",
                "1g"));
    options.addAll(SMALL);
    options.addAll(crashing(root));
    settings.forEach((key, value) -> options.addAll(List.of("--conf", key + "=" + value)));
    Path work = root.resolve("jobs/target/spark/work");
    return new Place(name, root, options, QUICK, List.of(), List.of(work), false);
  }

  /** Starts a master and two workers of a Spark distribution, as jobs/cluster/check does. */
  static Place standalone(Path root, Path distribution, Path directory)
      throws IOException, InterruptedException {
    List<Process> daemons = new ArrayList<>();
    Path log = directory.resolve("master.log");
    daemons.add(
        daemon(
            distribution,
            log,
            "127.0.0.1",
            "org.apache.spark.deploy.master.Master",
            List.of("--port", "0")));
    String master = waitFor(log, "Starting Spark master at (spark:\\S+)", 1);
    for (int worker = 1; worker <= 2; worker++) {
      daemons.add(
          daemon(
              distribution,
              directory.resolve(format("worker-%d.log", worker)),
              // Speculative copies only run on other hosts; all of 127.0.0.0/8 is this machine.
              format("127.0.0.%d", worker),
              "org.apache.spark.deploy.worker.Worker",
              List.of(
                  "--port",
                  "0",
                  "--cores",
                  // Two, so that a second driver gets executors while the first holds its own.
                  "2",
                  "--memory",
                  "4g",
                  "--work-dir",
                  directory.resolve(format("work-%d", worker)).toString(),
                  master)));
    }
    waitFor(log, "(Registering worker)", 2);
    List<String> options =
        new ArrayList<>(List.of("--master", master, "--conf", "spark.driver.host=127.0.0.1"));
    options.addAll(List.of("--executor-memory", "1g", "--total-executor-cores", "2"));
    options.addAll(List.of("--executor-cores", "1"));
    options.addAll(SMALL);
    options.addAll(crashing(root));
    return new Place(
        "standalone",
        root,
        options,
        environment(distribution, "127.0.0.1"),
        daemons,
        List.of(directory.resolve("work-1"), directory.resolve("work-2")),
        true);
  }

  private static Map<String, String> environment(Path distribution, String host) {
    Map<String, String> environment = new HashMap<>(QUICK);
    environment.put("SPARK_HOME", distribution.toString());
    environment.put("SPARK_LOCAL_IP", host);
    return environment;
  }

  private static Process daemon(
      Path distribution, Path log, String host, String type, List<String> arguments)
      throws IOException {
    List<String> words = new ArrayList<>();
    words.add(distribution.resolve("bin/spark-class").toString());
    words.addAll(List.of(type, "--host", host, "--webui-port", "0"));
    words.addAll(arguments);
    ProcessBuilder builder =
        new ProcessBuilder(words).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().remove("LOG4J_CONFIGURATION_FILE");
    builder.environment().putAll(environment(distribution, host));
    builder.environment().put("SPARK_DAEMON_MEMORY", "256m");
    return builder.start();
  }

  private static String waitFor(Path log, String pattern, int times)
      throws IOException, InterruptedException {
    for (int tenths = 0; tenths < 1200; tenths++) {
      Matcher matcher =
          Pattern.compile(pattern).matcher(Files.exists(log) ? Files.readString(log) : "");
      int found = 0;
      while (matcher.find()) {
        if (++found == times) {
          return matcher.group(1);
        }
      }
      Thread.sleep(100);
    }
    throw new IllegalStateException(format("no '%s' in %s", pattern, log));
  }

  /** Returns processes that include all executors of a driver. */
  Stream<ProcessHandle> executorsOf(ProcessHandle driver) {
    return daemons.isEmpty()
        ? driver.descendants()
        : daemons.stream().flatMap(daemon -> daemon.descendants());
  }

  /** Removes the directories of executors that have ended, which Spark keeps. */
  void clean() throws IOException {
    Set<Path> used =
        ProcessHandle.allProcesses().map(Place::directoryOf).collect(Collectors.toSet());
    for (Path directory : work) {
      if (Files.isDirectory(directory)) {
        try (Stream<Path> applications = Files.list(directory)) {
          for (Path application : applications.toList()) {
            if (used.stream().noneMatch(path -> path.startsWith(application))) {
              FileUtils.deleteDirectory(application.toFile());
            }
          }
        }
      }
    }
  }

  private static Path directoryOf(ProcessHandle process) {
    try {
      return Path.of("/proc", Long.toString(process.pid()), "cwd").toRealPath();
    } catch (IOException e) {
      return Path.of("/"); // it has ended or belongs to another user
    }
  }

  @Override
  public void close() {
    daemons.forEach(Process::destroyForcibly);
  }
}

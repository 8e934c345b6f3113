package io.stillhouse.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import ai.djl.Device;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs two executors with two simulated GPUs each, which a discovery script reports. */
@Tag("spark")
class DevicesTest {
  private static final String AMOUNT = "spark.task.resource.gpu.amount";

  @TempDir private static Path directory;
  private static SparkSession cluster;

  /** The time during which a task had a GPU, in nanoseconds. */
  private record Use(String executor, String address, String device, long from, long to)
      implements Serializable {
    boolean overlaps(Use other) {
      return from < other.to && other.from < to;
    }
  }

  @BeforeAll
  static void startsExecutorsWithGpus() throws IOException {
    Tiny.spark().stop();
    Path script = directory.resolve("discovery.sh");
    Files.writeString(
        script, "#!/bin/sh\necho '{\"name\": \"gpu\", \"addresses\": [\"0\", \"1\"]}'\n");
    assertThat(script.toFile().setExecutable(true)).isTrue();
    Files.createDirectories(Path.of(System.getenv("SPARK_HOME"), "jars"));
    cluster =
        SparkSession.builder()
            .master("local-cluster[2,2,1024]")
            .config("spark.ui.enabled", false)
            .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .config("spark.executor.extraJavaOptions", "-Dai.djl.offline=true")
            .config("spark.executor.cores", 2)
            .config("spark.worker.resource.gpu.amount", 2)
            .config("spark.worker.resource.gpu.discoveryScript", script.toString())
            .config("spark.executor.resource.gpu.amount", 2)
            .config("spark.executor.resource.gpu.discoveryScript", script.toString())
            .config(AMOUNT, 1)
            .getOrCreate();
    cluster.sparkContext().setLogLevel("ERROR");
    awaitExecutors(2);
  }

  /** Waits for executors: tasks that start before them would all run on the first one. */
  private static void awaitExecutors(int executors) {
    assertTimeoutPreemptively(
        Duration.ofMinutes(2),
        () -> {
          while (cluster.sparkContext().getExecutorMemoryStatus().size() < 1 + executors) {
            Thread.sleep(50);
          }
        });
  }

  @AfterAll
  static void stopsSession() {
    cluster.stop();
  }

  @Test
  void concurrentTasksUseDifferentGpus() {
    Devices.choose(cluster.sparkContext(), settings("device=cpu"));

    List<Use> uses = uses();

    assertThat(uses).extracting(Use::address).containsOnly("0", "1");
    assertThat(uses.stream().map(use -> use.executor() + use.address()).collect(Collectors.toSet()))
        .hasSize(4);
    assertThat(uses).extracting(Use::device).containsOnly(Device.cpu().toString());
    for (Use one : uses) {
      for (Use other : uses) {
        if (one != other
            && one.executor().equals(other.executor())
            && one.address().equals(other.address())) {
          assertThat(one.overlaps(other)).as("%s and %s", one, other).isFalse();
        }
      }
    }
    assertThat(uses.stream().anyMatch(one -> uses.stream().filter(one::overlaps).count() > 2))
        .as("tasks ran at the same time")
        .isTrue();
  }

  @Test
  void executorWithoutGpuReportsItAndStops() {
    Devices.choose(cluster.sparkContext(), settings("device=auto"));

    assertThatThrownBy(DevicesTest::uses)
        .hasStackTraceContaining("StillhouseException")
        .hasStackTraceContaining("Spark assigned GPU ")
        .hasStackTraceContaining("finds 0 GPUs here; install libtorch with CUDA on every machine");
  }

  @Test
  void rejectsSharedGpus() {
    assertThatThrownBy(() -> choose("0.5", "device=auto"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(AMOUNT + " must be 1")
        .hasMessageContaining("0.5");
  }

  @Test
  void rejectsGpusThatSparkDoesNotOffer() {
    assertThatThrownBy(() -> choose("0", "device=gpu"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "device is gpu, but Spark assigns no GPUs to tasks"
                + " (spark.task.resource.gpu.amount is not set); start it with --properties-file"
                + " conf/spark-gpu.conf, or set device=cpu");
  }

  private static void choose(String amount, String choice) {
    cluster.sparkContext().conf().set(AMOUNT, amount);
    try {
      Devices.choose(cluster.sparkContext(), settings(choice));
    } finally {
      cluster.sparkContext().conf().set(AMOUNT, "1");
    }
  }

  private static List<Use> uses() {
    return new ArrayList<>(
        JavaSparkContext.fromSparkContext(cluster.sparkContext())
            .parallelize(IntStream.range(0, 12).boxed().toList(), 12)
            .map(
                task -> {
                  long from = System.nanoTime();
                  String device = Devices.ofTask().toString();
                  Thread.sleep(200);
                  return new Use(
                      SparkEnv.get().executorId(),
                      Devices.address(),
                      device,
                      from,
                      System.nanoTime());
                })
            .collect());
  }

  private static Settings settings(String choice) {
    return Settings.parse(null, List.of(choice));
  }
}

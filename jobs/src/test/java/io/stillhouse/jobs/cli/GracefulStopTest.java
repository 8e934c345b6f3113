package io.stillhouse.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.CommandProcess;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.train.TrainJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class GracefulStopTest {
  private static final int STEPS = 800;

  @TempDir private static Path directory;

  private static TinyRecipe caching;

  @BeforeAll
  static void createsCache() throws IOException {
    Path corpus = Tiny.labelled(directory.resolve("rows.tsv"), 1200, "LABEL_2", "LABEL_0");
    caching = TinyRecipe.labelled(corpus).tinyBertTargets().shardTokens(512);
    new CacheJob(Tiny.spark(), caching.cache(directory.resolve("cache")).settings()).run();
  }

  @Test
  void stoppedCacheKeepsItsShardsAndContinues() throws Exception {
    Path cache = directory.resolve("stopped-cache");
    String[] command = caching.cache(cache).with("cache.batch-tokens=16").command("cache");
    try (CommandProcess stopped = start(command)) {
      stopped.await("shard \\d+, attempt 0: done", 5).signal("TERM");
      assertThat(stopped.code()).as(String.join("\n", stopped.stderr())).isEqualTo(143);
      assertThat(stopped.lastLine())
          .as(String.join("\n", stopped.stderr()))
          .matches(
              "stillhouse: stopped by SIGTERM: (?!0 of)\\d+ of \\d+ shards are cached; repeat the"
                  + " command to continue");
    }
    try (CommandProcess resumed = start(command)) {
      resumed.succeeds();
      assertThat(resumed.stderr()).noneMatch(line -> line.contains("shard 0, attempt"));
    }
    assertThat(Tiny.verify(cache).isSound()).isTrue();
  }

  @Test
  void stopsCacheThatWaitsForStudents() throws Exception {
    String[] command =
        caching
            .cache(directory.resolve("waiting-cache"))
            .with("cache.window=1", "train.order=plan", "job.stop-seconds=600")
            .command("cache");
    try (CommandProcess stopped = start(command)) {
      boolean ignored = ignoresInterrupt();
      stopped.await("waits for a student", 1).signal(ignored ? "TERM" : "INT");
      assertThat(stopped.code())
          .as(String.join("\n", stopped.stderr()))
          .isEqualTo(ignored ? 143 : 130);
      assertThat(stopped.lastLine())
          .as(String.join("\n", stopped.stderr()))
          .matches("stillhouse: stopped by SIG(TERM|INT): 1 of \\d+ shards are cached; repeat .*");
    }
  }

  @Test
  void stoppedTrainingSavesItsLastStepAndEndsWithSameBits() throws Exception {
    TinyRecipe recipe = training("students").withoutBaseline();
    new TrainJob(Tiny.spark(), training("undisturbed").withoutBaseline().settings()).run();
    try (CommandProcess stopped = start(recipe.command("train"))) {
      stopped.await("starts after step 0", 1);
      Thread.sleep(1000); // takes some steps
      stopped.signal("TERM");
      assertThat(stopped.code()).as(String.join("\n", stopped.stderr())).isEqualTo(143);
      assertThat(stopped.lastLine())
          .as(String.join("\n", stopped.stderr()))
          .matches(
              "stillhouse: stopped by SIGTERM: student has a checkpoint of step [0-9,]+ of 800;"
                  + " repeat the command to continue");
    }
    try (CommandProcess resumed = start(recipe.command("train"))) {
      resumed.succeeds();
      assertThat(resumed.stderr()).anyMatch(line -> line.matches(".*starts after step [1-9].*"));
    }
    assertThat(weights("students", "student")).isEqualTo(weights("undisturbed", "student"));
  }

  @Test
  void stoppedSweepSavesEveryStudent() throws Exception {
    TinyRecipe recipe =
        training("sweep")
            .withoutBaseline()
            .with("sweep.students-per-task=2", "sweep.over.loss.soft-label.weight=[1,2]");
    try (CommandProcess stopped = start(recipe.command("sweep"))) {
      stopped.await("starts after step 0", 2);
      Thread.sleep(1000);
      stopped.signal("TERM");
      assertThat(stopped.code()).as(String.join("\n", stopped.stderr())).isEqualTo(143);
      assertThat(stopped.lastLine())
          .as(String.join("\n", stopped.stderr()))
          .matches(
              "stillhouse: stopped by SIGTERM: (\\S+ has a checkpoint of step .*){2}; repeat.*");
    }
    assertThat(directory.resolve("sweep/sweep.json")).doesNotExist();
    try (CommandProcess resumed = start(recipe.command("sweep"))) {
      resumed.succeeds();
    }
    assertThat(directory.resolve("sweep/sweep.json")).exists();
  }

  /**
   * Returns whether this process ignores SIGINT, as do the processes that it starts. A shell makes
   * its background processes do so.
   */
  private static boolean ignoresInterrupt() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("SigIgn:"))
        .map(line -> Long.parseUnsignedLong(line.substring(7).strip(), 16))
        .anyMatch(signals -> (signals & 2) != 0);
  }

  private static TinyRecipe training(String students) {
    return caching
        .cache(directory.resolve("cache"))
        .student(directory.resolve(students))
        .with(
            "student.name=student",
            "student.dropout=0.1",
            "train.epochs=100",
            "train.max-steps=" + STEPS,
            "train.checkpoint-every=0");
  }

  private static CommandProcess start(String... command) throws IOException {
    return CommandProcess.start(directory.resolve("output"), Map.of(), Map.of(), command);
  }

  private static byte[] weights(String students, String name) throws IOException {
    return Files.readAllBytes(
        directory.resolve(students).resolve(name).resolve("model.safetensors"));
  }
}

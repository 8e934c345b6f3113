package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.spark.StopSignal;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CommandRunTest {
  @TempDir private Path directory;
  private Path result;

  @BeforeEach
  void nameResult() {
    result = directory.resolve("results/one.json");
  }

  @Test
  void resultOfCheckHasStudentsAndOutputsOfAllSteps() throws IOException {
    assertThat(check("sweep.over.student.layers=[1, 2]", "export.to=" + directory)).isZero();

    JsonObject written = written();
    assertThat(written.get("command").getAsString()).isEqualTo("check");
    assertThat(written.get("exitCode").getAsInt()).isZero();
    assertThat(written.has("message")).isFalse();
    assertThat(written.get("students")).hasToString("[\"layers-1\",\"layers-2\"]");
    JsonObject outputs = written.getAsJsonObject("outputs");
    assertThat(outputs.keySet())
        .containsExactly("plan", "cache", "students", "evaluation", "export", "sweep");
    assertThat(outputs.get("cache").getAsString()).isEqualTo("file:" + directory + "/cache");
    JsonObject time = written.getAsJsonObject("time");
    assertThat(Instant.parse(time.get("started").getAsString()))
        .isBefore(Instant.parse(time.get("ended").getAsString()));
  }

  @Test
  void resultOfCheckNamesOneStudentWithoutSweep() throws IOException {
    assertThat(check("student.layers=1", "student.name=small")).isZero();

    assertThat(written().get("students")).hasToString("[\"small\"]");
    assertThat(written().getAsJsonObject("outputs").has("sweep")).isFalse();
  }

  @Test
  void checkReportsStudentsWithoutLayers() {
    assertThat(mistake("check", "sweep.over.train.seed=[1, 2]"))
        .contains("seed-1: student.layers is missing")
        .contains("seed-2: student.layers is missing");
  }

  @Test
  void checkRejectsMissingTeacher() {
    assertThat(mistake("check", "student.layers=1", "teacher.path=nowhere"))
        .contains("teacher.path does not exist: 'nowhere'");
  }

  @Test
  void resultOfMistakeHasItsMessage() throws IOException {
    String message = mistake("train", "train.epoch=3");

    assertThat(written().get("exitCode").getAsInt()).isEqualTo(2);
    assertThat("stillhouse: " + written().get("message").getAsString() + "\n").isEqualTo(message);
  }

  @Test
  void resultOfUnreadableRecipeIsWritten() throws IOException {
    Tiny.mistake("train", directory.resolve("no.conf").toString(), "job.result=" + result);

    assertThat(written().get("message").getAsString()).startsWith("recipe does not exist: ");
    assertThat(written().getAsJsonObject("outputs").keySet()).isEmpty();
  }

  @Test
  void recipeCanNameResult() throws IOException {
    Path recipe = directory.resolve("recipe.conf");
    Files.writeString(recipe, format("job.result = \"%s\"\nstudent.layers = 1\n", result));
    Tiny.mistake("train", recipe.toString());

    assertThat(written().get("message").getAsString()).startsWith("cache.path is missing");
  }

  @Test
  void replacesResultOfEarlierRun() throws IOException {
    mistake("train", "train.epoch=3");
    assertThat(check("student.layers=1")).isZero();

    assertThat(written().get("command").getAsString()).isEqualTo("check");
    assertThat(result.getParent().toFile().list()).containsExactly("one.json");
  }

  @Test
  void unwritableResultKeepsExitCode() throws IOException {
    Files.writeString(directory.resolve("results"), "a file where the directory should be");

    assertThat(check("student.layers=1")).isZero();
  }

  @Test
  void resultTellsThatErrorEndedProcess() throws IOException {
    UnaryOperator<Settings> missing =
        settings -> {
          throw new UnsatisfiedLinkError("no torch");
        };
    assertThatThrownBy(() -> Stillhouse.run(missing, arguments("check")))
        .isInstanceOf(UnsatisfiedLinkError.class);

    assertThat(written().get("exitCode").getAsInt()).isEqualTo(1);
    assertThat(written().get("message").getAsString()).contains("no torch");
  }

  @Test
  void rejectsCredentialsInPathOfResult() {
    String[] arguments = arguments("check", "student.layers=1");
    arguments[4] = "job.result=s3a://key:planted-secret@bucket/result.json";
    assertThat(Tiny.mistake(arguments))
        .contains("job.result must not contain credentials, but is 's3a://***@bucket/result.json'")
        .doesNotContain("planted-secret");
  }

  @Test
  @Tag("spark")
  void resultTellsThatSignalStoppedCommand() throws IOException, InterruptedException {
    Path rows = Tiny.lines(directory.resolve("rows.txt"), 20_000);
    Path cache = directory.resolve("cache");
    Process process =
        start(
            "cache",
            "teacher.path=" + Tiny.CLS,
            "corpus.path=" + rows,
            "corpus.max-length=40",
            "cache.path=" + cache,
            "cache.shard-tokens=1024",
            "job.result=" + result);
    while (!Files.exists(cache) && process.isAlive()) {
      Thread.sleep(20);
    }
    process.destroy(); // SIGTERM
    assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();

    assertThat(process.exitValue()).isEqualTo(StopSignal.SIGTERM.exitCode());
    assertThat(written().get("exitCode").getAsInt()).isEqualTo(StopSignal.SIGTERM.exitCode());
    assertThat(written().getAsJsonObject("outputs").get("cache").getAsString())
        .isEqualTo("file:" + cache);
  }

  /** Starts a command in a JVM of its own, with the flags of this one. */
  private Process start(String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString()));
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(List.of("-Dspark.master=local[1]", "-Dspark.ui.enabled=false"));
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), Stillhouse.class.getName()));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(directory.resolve("log").toFile())
        .start();
  }

  private int check(String... more) {
    return Stillhouse.run(arguments("check", more));
  }

  private String mistake(String command, String... more) {
    return Tiny.mistake(arguments(command, more));
  }

  private String[] arguments(String command, String... more) {
    List<String> all =
        new ArrayList<>(
            List.of(
                command,
                "teacher.path=" + Tiny.CLS,
                "corpus.path=rows.tsv",
                "cache.path=" + directory.resolve("cache"),
                "job.result=" + result));
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  private JsonObject written() throws IOException {
    return JsonParser.parseString(Files.readString(result)).getAsJsonObject();
  }
}

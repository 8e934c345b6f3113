package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.CommandProcess;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Plants secrets where commands find them, and searches everything that commands write. */
@Tag("spark")
class PlantedSecretTest {
  private static final String IN_ENVIRONMENT = "planted-in-environment-93ac";
  private static final String IN_HADOOP = "planted-in-hadoop-5d1e";
  private static final String IN_RECIPE = "planted-in-recipe-c07b";

  @TempDir private static Path directory;

  private static final List<CommandProcess> PROCESSES = new ArrayList<>();

  @BeforeAll
  static void runsCommands() throws Exception {
    Path secret = directory.resolve(IN_RECIPE);
    Tiny.labelled(secret.resolve("rows.tsv"), 60, "LABEL_2", "LABEL_0");
    Path recipe = recipe("recipe.conf", secret);
    for (String command : List.of("cache", "train", "evaluate", "export")) {
      run(0, command, recipe.toString());
    }
    Path missing = recipe("missing.conf", secret, "cache.path=" + secret.resolve("none"));
    run(2, "train", missing.toString());
    Path blocked = recipe("blocked.conf", secret, "cache.path=" + blocked(secret));
    run(1, "cache", blocked.toString());
  }

  @Test
  void outputNamesNoSecret() throws IOException {
    for (CommandProcess process : PROCESSES) {
      assertThat(process.stdout()).noneMatch(PlantedSecretTest::isPlanted);
      assertThat(process.stderr()).noneMatch(PlantedSecretTest::isPlanted);
    }
  }

  @Test
  void outputShowsNameOfVariable() throws IOException {
    assertThat(String.join("\n", PROCESSES.get(1).stderr())).contains("${PLANTED_TOKEN}");
    assertThat(String.join("\n", PROCESSES.get(4).stderr()))
        .contains("stillhouse: ")
        .contains("${PLANTED_TOKEN}");
  }

  @Test
  void filesContainNoSecret() throws IOException {
    List<String> found = new ArrayList<>();
    Tiny.files(directory)
        .forEach(
            (name, bytes) -> {
              if (!name.endsWith(".conf")
                  && isPlanted(new String(bytes, StandardCharsets.ISO_8859_1))) {
                found.add(name);
              }
            });
    assertThat(found).isEmpty();
  }

  private static boolean isPlanted(String text) {
    return text.contains(IN_ENVIRONMENT) || text.contains(IN_HADOOP) || text.contains(IN_RECIPE);
  }

  private static Path recipe(String file, Path secret, String... more) throws IOException {
    StringBuilder text = new StringBuilder();
    for (String keyValue :
        TinyRecipe.labelled(secret.resolve("rows.tsv"))
            .cache(secret.resolve("cache"))
            .tinyBertTargets()
            .student(secret.resolve("students"))
            .with(
                "evaluate.path=" + secret.resolve("rows.tsv"),
                "evaluate.output=" + secret.resolve("evaluation.json"),
                "evaluate.speed=false",
                "export.to=" + secret.resolve("export"),
                "export.evaluate=" + secret.resolve("rows.tsv"))
            .with(more)
            .keyValues()) {
      int equals = keyValue.indexOf('=');
      String value = keyValue.substring(equals + 1);
      text.append(keyValue, 0, equals)
          .append(" = ")
          .append(
              value.startsWith("[")
                  ? value
                  : format("\"%s\"", value.replace(IN_RECIPE, "\"${PLANTED_TOKEN}\"")))
          .append('\n');
    }
    return Files.writeString(directory.resolve(file), text);
  }

  /** Returns a path that no file can be written to, so that a command fails with a stack trace. */
  private static Path blocked(Path secret) throws IOException {
    return Files.writeString(secret.resolve("file"), "").resolve("cache");
  }

  private static void run(int code, String... words) throws Exception {
    CommandProcess process =
        CommandProcess.start(
            directory.resolve("output"),
            Map.of(
                "spark.hadoop.fs.s3a.secret.key",
                IN_HADOOP,
                "spark.eventLog.enabled",
                "true",
                "spark.eventLog.dir",
                Files.createDirectories(directory.resolve("events")).toUri().toString()),
            Map.of(
                "AWS_SECRET_ACCESS_KEY",
                IN_ENVIRONMENT,
                "PLANTED_TOKEN",
                IN_RECIPE,
                "STILLHOUSE_LOG_LEVEL",
                "debug"),
            words);
    PROCESSES.add(process);
    assertThat(process.code()).as(String.join("\n", process.stderr())).isEqualTo(code);
  }
}

package io.stillhouse.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.stillhouse.config.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Parses every command in the READMEs: its name, its settings and the files of {@code conf/} that
 * it names. The script {@code .ci/commands} also runs them, except for those that {@code
 * .ci/not-run.txt} lists.
 */
class ReadmeCommandsTest {
  private static final Path ROOT = Path.of("..");
  private static final String LAUNCHER = "jobs/bin/stillhouse";
  private static final Pattern BLOCK = Pattern.compile("(?ms)^```\\w*\\n(.*?)^```");
  private static final Pattern WORD = Pattern.compile("(?:[^\\s'\"]|'[^']*'|\"[^\"]*\")+");

  /** Recipes that the READMEs create or leave to the reader. */
  private static final Set<String> OWN_RECIPES = Set.of("recipe.conf", "q/recipe.conf");

  /** Commands whose arguments are paths instead of a recipe and settings. */
  private static final Set<String> OF_PATHS =
      Set.of(
          "quickstart",
          "import",
          "verify",
          "vacuum",
          "diff",
          "distill",
          "logits",
          "predict",
          "report");

  static List<String> stillhouseCommands() throws IOException {
    return lines().stream().filter(line -> line.contains(LAUNCHER + " ")).toList();
  }

  @ParameterizedTest
  @MethodSource("stillhouseCommands")
  void usesKnownCommandAndSettings(String line) {
    List<String> words = words(line);
    words.subList(0, words.indexOf(LAUNCHER) + 1).clear();
    while (words.get(0).startsWith("--")) {
      String option = words.remove(0);
      String value = option.contains("=") ? option : words.remove(0);
      if (option.equals("--properties-file")) {
        assertThat(ROOT.resolve(value)).exists();
      }
    }
    String command = words.remove(0);
    assertThat(commands()).contains(command);
    if (OF_PATHS.contains(command)) {
      return;
    }
    if (!words.get(0).contains("=")) {
      String recipe = words.remove(0);
      if (!OWN_RECIPES.contains(recipe)) {
        assertThat(ROOT.resolve(recipe)).exists();
      }
    }
    assertThatCode(() -> Settings.parse(null, words)).doesNotThrowAnyException();
  }

  @Test
  void everySkippedCommandIsInReadmeAndHasReason() throws IOException {
    List<String> lines = lines();
    for (String skipped : Files.readAllLines(ROOT.resolve(".ci/not-run.txt"))) {
      if (!skipped.startsWith("#")) {
        String[] columns = skipped.split(" \\| ");
        assertThat(columns).as(skipped).hasSize(2);
        assertThat(lines).anyMatch(line -> line.startsWith(columns[0]));
      }
    }
  }

  /** Returns the lines of all fenced blocks, with continued lines joined. */
  private static List<String> lines() throws IOException {
    List<String> lines = new ArrayList<>();
    for (Path readme : readmes()) {
      Matcher block = BLOCK.matcher(Files.readString(readme));
      while (block.find()) {
        block.group(1).replaceAll("\\\\\n\\s*", " ").lines().forEach(lines::add);
      }
    }
    assertThat(lines).isNotEmpty();
    return lines;
  }

  private static List<Path> readmes() throws IOException {
    List<Path> readmes = new ArrayList<>();
    for (String directory :
        List.of(
            "",
            "conf",
            "conf/airflow",
            "core",
            "jobs",
            "jobs/bench",
            "jobs/cluster",
            "notebooks")) {
      try (Stream<Path> files = Files.list(ROOT.resolve(directory))) {
        files.filter(file -> file.toString().endsWith(".md")).sorted().forEach(readmes::add);
      }
    }
    return readmes;
  }

  private static List<String> words(String line) {
    List<String> words = new ArrayList<>();
    Matcher word = WORD.matcher(line);
    while (word.find()) {
      words.add(word.group().replaceAll("['\"]", ""));
    }
    return words;
  }

  private static Set<String> commands() {
    return CommandLines.ofNoRun().getSubcommands().keySet();
  }
}

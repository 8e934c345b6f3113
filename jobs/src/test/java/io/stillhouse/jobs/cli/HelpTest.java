package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.CommandKeys;
import io.stillhouse.config.Option;
import io.stillhouse.jobs.Tiny;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Help, suggestions and shell completion, without Spark. */
class HelpTest {
  static Set<String> commands() {
    return CommandLines.ofNoRun().getSubcommands().keySet();
  }

  @ParameterizedTest
  @MethodSource("commands")
  void everyCommandDocumentsInputsOutputsAndExitCodes(String command) {
    assertThat(printed(command, "--help"))
        .startsWith("Usage: stillhouse " + command + " ")
        .contains("\nReads: ")
        .containsAnyOf("\nWrites: ", "\nDeletes: ")
        .contains("\nExit codes:\n  0   ", "\n  1   ", "\n  2   ");
  }

  @ParameterizedTest
  @EnumSource
  void helpListsEveryKeyWithItsDefaultAndMeaning(CommandKeys keys) {
    String help = printed(keys.command(), "-h");

    for (Option<?> option : keys.options()) {
      String value = option.defaultValue() == null ? " (no default)" : "=" + option.defaultValue();
      assertThat(help).contains("\n  " + option.key() + value + "\n");
      assertThat(help.replaceAll("\\s+", " ")).contains(option.doc().replaceAll("\\s+", " "));
    }
  }

  @ParameterizedTest
  @EnumSource
  void helpIsWrapped(CommandKeys keys) {
    assertThat(printed(keys.command(), "--help").lines())
        .filteredOn(line -> line.startsWith("      "))
        .allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(100));
  }

  @Test
  void descriptionsOfCommandsBeginWithVerb() {
    String list = printed("--help");

    for (String command : commands()) {
      assertThat(list).containsPattern("\n  " + command + " +[A-Z][a-z]+s ");
    }
  }

  @Test
  void showsHelpWithoutArguments() {
    assertThat(printed()).isEqualTo(printed("--help"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "trian|unknown command 'trian'; did you mean 'train'?",
        "headimportance|unknown command 'headimportance'; did you mean 'head-importance'?",
        "collect cache|command 'collect' was renamed to vacuum; use the new name",
        "heads recipe.conf|command 'heads' was renamed to head-importance; use the new name",
        "predict nowhere -5|does not exist",
        "predict nowhere ./table.csv|'./table.csv' is a table, but no output is named",
        "predict nowhere no.csv out|MODEL does not exist: 'nowhere'",
        "predict nowhere no.csv out predict.topk=1|did you mean 'predict.top-k'?",
        "train --epochs|unknown option '--epochs' of stillhouse train; write settings as key=value",
        "vacuum|Missing required parameter: 'CACHE'; see stillhouse vacuum --help",
        "diff a b c|unexpected argument 'c' of stillhouse diff; see stillhouse diff --help",
        "train train.rows-per-step=32|'train.rows-per-step' was renamed to train.batch-size",
        "train train.learning-rat=1|did you mean 'train.learning-rate'?"
      })
  void rejectsMistypedArgumentWithSuggestion(String arguments, String message) {
    assertThat(Tiny.mistake(arguments.split(" "))).contains(message);
  }

  @Test
  void completionCompletesCommands(@TempDir Path directory) throws Exception {
    assertThat(completed(directory, "stillhouse", "head")).containsExactly("head-importance");
  }

  @Test
  void completionCompletesKeys(@TempDir Path directory) throws Exception {
    assertThat(completed(directory, "stillhouse", "train", "recipe.conf", "train.early"))
        .containsExactly("train.early-stopping-patience=");
  }

  @Test
  void completionLeavesValuesToShell(@TempDir Path directory) throws Exception {
    assertThat(completed(directory, "stillhouse", "train", "corpus.path", "=", "train")).isEmpty();
  }

  /** Returns what bash offers for the last word. */
  private static List<String> completed(Path directory, String... words)
      throws IOException, InterruptedException {
    Path script = Files.writeString(directory.resolve("completion"), printed("completion"));
    String shell =
        format(
            """
            source '%s'
            COMP_WORDS=(%s)
            COMP_CWORD=%d
            COMP_LINE="${COMP_WORDS[*]}"
            _complete_stillhouse_keys
            printf '%%s\\n' "${COMPREPLY[@]}"
            """,
            script, String.join(" ", words), words.length - 1);
    Process bash = new ProcessBuilder("bash", "-c", shell).redirectErrorStream(true).start();
    String offered = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(bash.waitFor()).as(offered).isZero();
    return offered.lines().filter(line -> !line.isEmpty()).toList();
  }

  private static String printed(String... arguments) {
    PrintStream stdout = System.out;
    ByteArrayOutputStream captured = new ByteArrayOutputStream();
    System.setOut(new PrintStream(captured, true, StandardCharsets.UTF_8));
    try {
      assertThat(Stillhouse.run(arguments)).isZero();
    } finally {
      System.setOut(stdout);
    }
    return captured.toString(StandardCharsets.UTF_8);
  }
}

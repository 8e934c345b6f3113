package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.ListText;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What the user asks of distill.
 *
 * @param table the table, as the user wrote it
 * @param directory the directory of all results
 * @param arguments {@code key=value} each, without {@code corpus.path}
 */
public record DistillRequest(String table, DistillDirectory directory, List<String> arguments) {
  private static final String IN_DIRECTORY = "remove it: all results are in the directory";

  /** Keys that distill sets itself, with what to do instead. */
  static final Map<String, String> OWN_KEYS =
      Map.ofEntries(
          Map.entry(Options.CORPUS_PATH.key(), "remove it: the table is the first argument"),
          Map.entry(Options.TEACHER_NAME.key(), "remove it"),
          Map.entry(Options.CACHE.key(), IN_DIRECTORY),
          Map.entry(Options.CACHE_WINDOW.key(), "remove it: students are trained after caching"),
          Map.entry(Options.TRAIN_PATH.key(), IN_DIRECTORY),
          Map.entry(Options.VALIDATION.key(), "set distill.validation"),
          Map.entry(Options.FINETUNE_FROM.key(), "set teacher.path"),
          Map.entry(Options.FINETUNE_TO.key(), IN_DIRECTORY),
          Map.entry(Options.FINETUNE_VALIDATION.key(), "set distill.validation"),
          Map.entry(Options.PLAN_OUTPUT.key(), IN_DIRECTORY),
          Map.entry(Options.EVALUATE_PATH.key(), "set distill.validation"),
          Map.entry(Options.EVALUATE_MODELS.key(), "run evaluate with the written recipe"),
          Map.entry(Options.EVALUATE_EXPORTS.key(), "run evaluate with the written recipe"),
          Map.entry(Options.EVALUATE_OUTPUT.key(), IN_DIRECTORY),
          Map.entry(Options.EXPORT_FROM.key(), "run export with the written recipe"),
          Map.entry(Options.EXPORT_EVALUATE.key(), "set distill.validation"),
          Map.entry(Options.EXPORT_TO.key(), IN_DIRECTORY));

  /**
   * Creates a request, and the directory if it does not exist.
   *
   * @throws StillhouseException if the directory cannot be written
   */
  public static DistillRequest of(String table, Path directory, List<String> arguments) {
    return new DistillRequest(table, new DistillDirectory(directory), arguments);
  }

  /**
   * Returns the arguments as settings, with the table as the corpus.
   *
   * @throws StillhouseException if they have a key that distill sets itself
   */
  public Settings settings() {
    Settings given = Settings.parse(null, arguments);
    List<String> problems = new ArrayList<>();
    OWN_KEYS.forEach(
        (key, fix) -> {
          if (keys().containsKey(key)) {
            problems.add(format("%s is set, but distill sets it itself; %s", key, fix));
          }
        });
    if (given.get(Options.FINETUNE_TASK).equals("masked-lm")) {
      problems.add(
          "finetune.task is masked-lm, but distill learns from labels; set finetune.task to"
              + " classification, regression or multi-label");
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return given.with(Map.of(Options.CORPUS_PATH.key(), ListText.write(List.of(table))));
  }

  /** Returns the path of the directory, as the user wrote it. */
  public String place() {
    return directory.path().toString();
  }

  /** Returns the keys and values, as the user wrote them. */
  Map<String, String> keys() {
    Map<String, String> keys = new LinkedHashMap<>();
    for (String argument : arguments) {
      int equals = argument.indexOf('=');
      keys.put(argument.substring(0, equals).replace("\"", ""), argument.substring(equals + 1));
    }
    return keys;
  }
}

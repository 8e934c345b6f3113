package io.stillhouse.jobs.cli;

import io.stillhouse.config.CommandKeys;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.recipe.Sweep;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a command writes.
 *
 * @param paths qualified paths by kind, such as {@code cache}
 * @param students the names of the students that the command trains
 */
record CommandOutputs(Map<String, String> paths, List<String> students) {
  static final CommandOutputs NONE = new CommandOutputs(Map.of(), List.of());

  private static final String STUDENTS = "students";

  /** Returns the outputs of a command. Keys of other commands are not read. */
  static CommandOutputs of(CommandKeys command, Settings given) {
    CommandOutputs outputs = new CommandOutputs(new LinkedHashMap<>(), List.of());
    switch (command) {
      case FINETUNE -> outputs.add("model", given, Options.FINETUNE_TO);
      case PLAN -> outputs.add("plan", given, Options.PLAN_OUTPUT);
      case CACHE -> outputs.add("cache", given, Options.CACHE);
      case TRAIN -> {
        outputs.add(STUDENTS, given, Options.TRAIN_PATH);
        return new CommandOutputs(outputs.paths, List.of(given.get(Options.STUDENT_NAME)));
      }
      case SWEEP -> {
        outputs.add(STUDENTS, given, Options.TRAIN_PATH);
        return new CommandOutputs(outputs.paths, swept(given));
      }
      case AUGMENT -> outputs.add("corpus", given, Options.AUGMENT_TO);
      case EVALUATE -> outputs.add("evaluation", given, Options.EVALUATE_OUTPUT);
      case HEAD_IMPORTANCE -> outputs.add("head-importance", given, Options.HEAD_IMPORTANCE_OUTPUT);
      case EXPORT -> outputs.add("export", given, Options.EXPORT_TO);
      case CHECK -> {
        return ofAllSteps(given);
      }
      // These name their outputs as arguments.
      case VERIFY, REPORT, PREDICT, DISTILL, QUICKSTART -> {}
    }
    return outputs;
  }

  /** Returns the outputs of all steps from plan to export. */
  private static CommandOutputs ofAllSteps(Settings given) {
    CommandOutputs outputs = new CommandOutputs(new LinkedHashMap<>(), List.of());
    outputs.add("plan", given, Options.PLAN_OUTPUT);
    outputs.add("cache", given, Options.CACHE);
    outputs.add("validation-cache", given, Options.VALIDATION);
    outputs.add(STUDENTS, given, Options.TRAIN_PATH);
    outputs.add("evaluation", given, Options.EVALUATE_OUTPUT);
    outputs.add("export", given, Options.EXPORT_TO);
    List<String> swept = swept(given);
    if (swept.isEmpty()) {
      return new CommandOutputs(outputs.paths, List.of(given.get(Options.STUDENT_NAME)));
    }
    outputs.paths.put("sweep", outputs.paths.get(STUDENTS) + "/sweep.json");
    return new CommandOutputs(outputs.paths, swept);
  }

  private static List<String> swept(Settings given) {
    return Sweep.students(Recipe.shrink(given)).stream().map(Sweep.Student::name).toList();
  }

  private void add(String kind, Settings given, Option<String> option) {
    String path = given.get(option);
    if (path.isEmpty()) {
      return;
    }
    String qualified = path;
    try {
      qualified = Storage.ofThisProcess().qualify(path).toString();
    } catch (StillhouseException | IllegalArgumentException e) {
      // The command itself reports a path that cannot be used.
    }
    paths.put(kind, qualified);
  }
}

package io.stillhouse.jobs.cli;

import io.stillhouse.config.CommandKeys;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.recipe.Sweep;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.ParentCommand;

/** Checks a recipe, and names its students and outputs, before anything is run. */
@Command(
    name = "check",
    description = {
      "Checks a recipe for all steps from plan to export, and prints its students and outputs.",
      "",
      "Reads: the recipe. It starts no Spark and opens no corpus, so it finds the mistakes in keys"
          + " and values, and a missing teacher.",
      "Writes: nothing, except for the file in job.result."
    })
final class CheckCommand implements Callable<Integer> {
  @ParentCommand private @Nullable Stillhouse parent;
  @Mixin private @Nullable RecipeArguments arguments;

  @Override
  public Integer call() throws IOException {
    Settings settings =
        Objects.requireNonNull(parent)
            .opened()
            .apply(Objects.requireNonNull(arguments).parse())
            .require(Options.TEACHER, Options.CORPUS_PATH, Options.CACHE);
    Storage.ofThisProcess().requireExisting(Options.TEACHER.key(), settings.get(Options.TEACHER));
    requireStudents(Recipe.prepare(settings));
    CommandOutputs outputs = CommandOutputs.of(CommandKeys.CHECK, settings);
    outputs.paths().forEach((kind, path) -> Stillhouse.print("%s: %s", kind, path));
    outputs.students().forEach(name -> Stillhouse.print("student: %s", name));
    return 0;
  }

  /** Requires that every student of the recipe is described. */
  private static void requireStudents(Settings settings) {
    List<Sweep.Student> students = Sweep.students(settings);
    if (students.isEmpty()) {
      Recipe.requireStudent(settings);
      return;
    }
    List<String> problems = new ArrayList<>();
    for (Sweep.Student student : students) {
      try {
        Recipe.requireStudent(settings.with(student.values()));
      } catch (StillhouseException e) {
        e.problems().forEach(problem -> problems.add(student.name() + ": " + problem));
      }
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
  }
}

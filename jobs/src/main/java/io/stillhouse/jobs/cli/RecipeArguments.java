package io.stillhouse.jobs.cli;

import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Parameters;

/** The arguments of a command that takes a recipe: its file, settings, or both. */
final class RecipeArguments {
  @Parameters(
      arity = "0..*",
      paramLabel = "[RECIPE] [key=value ...]",
      hideParamSyntax = true,
      description = "A HOCON file, such as those in conf/, and settings, which override it.")
  private @Nullable List<String> words;

  RecipeArguments() {}

  RecipeArguments(List<String> words) {
    this.words = words;
  }

  /** Parses the arguments, the first of which may be the file of a recipe. */
  Settings parse() {
    List<String> rest = new ArrayList<>(words == null ? List.of() : words);
    Path recipe = rest.isEmpty() || rest.get(0).contains("=") ? null : Path.of(rest.remove(0));
    if (recipe == null && rest.isEmpty()) {
      throw Errors.invalid(
          "no recipe is given",
          "name a recipe file, such as those in conf/, or set keys with key=value arguments");
    }
    return Settings.parse(recipe, rest);
  }
}

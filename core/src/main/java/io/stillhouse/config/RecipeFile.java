package io.stillhouse.config;

import static io.stillhouse.error.Text.format;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigResolver;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import io.stillhouse.error.Errors;
import io.stillhouse.error.Secrets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A parsed recipe.
 *
 * @param values its values
 * @param shown the same, with the names of variables in place of secret values
 */
record RecipeFile(Config values, Config shown) {
  /** No recipe: settings come from arguments alone. */
  static final RecipeFile NONE = new RecipeFile(ConfigFactory.empty(), ConfigFactory.empty());

  /**
   * Reads a recipe and the files that it includes.
   *
   * @param environment values of environment variables
   * @throws io.stillhouse.error.StillhouseException if it does not exist, cannot be read, is not
   *     HOCON, or includes anything but files in its directory or below
   */
  static RecipeFile load(Path recipe, Map<String, String> environment) {
    if (Files.isDirectory(recipe)) {
      throw Errors.invalid(
          format("recipe '%s' is a directory", recipe), "name one of the recipes in it");
    }
    if (!Files.isRegularFile(recipe)) {
      throw Errors.noSuchPath("recipe", recipe);
    }
    try {
      // Absolute, because HOCON finds included files only next to a file that has a parent.
      Path absolute = recipe.toAbsolutePath();
      Config parsed =
          ConfigFactory.parseFile(
              absolute.toFile(),
              ConfigParseOptions.defaults()
                  .setAllowMissing(false)
                  .setIncluder(RecipeIncludes.beside(absolute)));
      return of(parsed, environment);
    } catch (ConfigException.IO e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw Errors.invalid(
          format("recipe '%s' cannot be read (%s)", recipe, cause.getMessage()),
          "check that it and the files that it includes exist and are readable",
          e);
    } catch (ConfigException e) {
      throw Errors.invalid(
          format("recipe '%s' is not HOCON (%s)", recipe, e.getMessage()),
          "see conf/ for examples",
          e);
    }
  }

  /** Parses a recipe that is not in a file, and therefore includes none. */
  static RecipeFile ofText(String text, Map<String, String> environment) {
    return of(
        ConfigFactory.parseString(
            text, ConfigParseOptions.defaults().setIncluder(RecipeIncludes.NONE)),
        environment);
  }

  private static RecipeFile of(Config parsed, Map<String, String> environment) {
    return new RecipeFile(
        parsed.resolve(options(environment, false)), parsed.resolve(options(environment, true)));
  }

  private static ConfigResolveOptions options(Map<String, String> environment, boolean hidden) {
    return ConfigResolveOptions.noSystem().appendResolver(new Variables(environment, hidden));
  }

  /** Looks up substitutions in the environment. */
  private record Variables(Map<String, String> environment, boolean hidden)
      implements ConfigResolver {
    @Override
    public @Nullable ConfigValue lookup(String name) {
      String value = environment.get(name);
      if (value == null) {
        return null;
      }
      boolean secret = Secrets.isSecret(name);
      if (secret) {
        Secrets.remember(name, value);
      }
      return ConfigValueFactory.fromAnyRef(
          secret && hidden ? Secrets.shown(name) : value, "environment variable " + name);
    }

    @Override
    public ConfigResolver withFallback(ConfigResolver fallback) {
      return this; // there is none but the library's own, which finds nothing
    }
  }
}

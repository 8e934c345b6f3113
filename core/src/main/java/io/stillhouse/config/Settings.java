package io.stillhouse.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import io.stillhouse.error.Errors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The values of a recipe. Precedence: {@code key=value} arguments, then the recipe file (with its
 * includes and {@code ${?ENV}}), then the options' defaults.
 */
public final class Settings {
  private static final String SWEEP_OVER = Options.SWEEP_OVER.key() + ".";

  /** Keys whose values are lists of objects. */
  private static final Set<String> OF_OBJECTS =
      Set.of(Options.SWEEP_STUDENTS.key(), Options.STAGES.key(), Options.TEACHERS.key());

  private final Map<String, String> given;
  private final Map<String, Object> parsed = new HashMap<>();

  private Settings(Map<String, String> given) {
    this.given = Map.copyOf(given);
  }

  /**
   * Reads a recipe and checks every value against its option.
   *
   * @param recipe a HOCON file, or null for arguments alone
   * @param arguments {@code key=value} each
   * @throws io.stillhouse.error.StillhouseException listing every unknown key and every value that
   *     breaks its rule
   */
  public static Settings parse(@Nullable Path recipe, List<String> arguments) {
    Map<String, String> given = new TreeMap<>();
    Map<String, List<String>> over = new TreeMap<>();
    if (recipe != null) {
      given.putAll(flatten(load(recipe), over));
    }
    List<String> problems = new ArrayList<>();
    for (String argument : arguments) {
      int equals = argument.indexOf('=');
      if (equals <= 0) {
        problems.add(
            "'%s' is not key=value; options are keys, such as train.epochs=3".formatted(argument));
      } else {
        String key = argument.substring(0, equals).replace("\"", "");
        String value = argument.substring(equals + 1);
        if (key.startsWith(SWEEP_OVER)) {
          over.put(key.substring(SWEEP_OVER.length()), SweepText.split(value));
        } else {
          given.put(key, value);
        }
      }
    }
    if (!over.isEmpty()) {
      given.merge(Options.SWEEP_OVER.key(), SweepText.write(over), SweepText::merged);
    }
    Settings settings = new Settings(given);
    settings.check(problems);
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return settings;
  }

  /** Returns an option's value. */
  @SuppressWarnings("unchecked") // parsed by the option's own parser
  public <T> T get(Option<T> option) {
    Object value = parsed.get(option.key());
    if (value == null) {
      throw Errors.invalid(
          "%s is missing (%s)".formatted(option.key(), option.doc()),
          "set it in the recipe, or as %s=...".formatted(option.key()));
    }
    return (T) value;
  }

  /** Returns whether the recipe or an argument gives the option. */
  public boolean has(Option<?> option) {
    return gives(option.key());
  }

  public boolean gives(String key) {
    return given.containsKey(key);
  }

  /**
   * Checks that options without a default are given.
   *
   * @throws io.stillhouse.error.StillhouseException naming all that are missing
   */
  public Settings require(Option<?>... options) {
    List<String> problems = new ArrayList<>();
    for (Option<?> option : options) {
      if (!parsed.containsKey(option.key())
          || option.defaultValue() != null && !has(option) && option.defaultValue().isEmpty()) {
        problems.add(
            "%s is missing (%s); set it in the recipe, or as %s=..."
                .formatted(option.key(), option.doc(), option.key()));
      }
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return this;
  }

  /** Returns this with further values, which win. */
  public Settings with(Map<String, String> more) {
    Map<String, String> merged = new TreeMap<>(given);
    merged.putAll(more);
    Settings settings = new Settings(merged);
    List<String> problems = new ArrayList<>();
    settings.check(problems);
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return settings;
  }

  /** Returns every value in force, defaults included, for the record of a run. */
  public Map<String, String> inForce() {
    Map<String, String> all = new TreeMap<>();
    for (Option<?> option : Options.ALL) {
      String text = given.getOrDefault(option.key(), option.defaultValue());
      if (text != null) {
        all.put(option.key(), text);
      }
    }
    return all;
  }

  private void check(List<String> problems) {
    Map<String, Option<?>> options =
        Options.ALL.stream().collect(Collectors.toMap(Option::key, o -> o));
    for (String key : given.keySet()) {
      if (Options.RENAMED.containsKey(key)) {
        problems.add("'%s' was renamed to %s".formatted(key, Options.RENAMED.get(key)));
      } else if (!options.containsKey(key)) {
        problems.add(
            "unknown key '%s'; did you mean '%s'?".formatted(key, nearest(key, options.keySet())));
      }
    }
    for (Option<?> option : Options.ALL) {
      String text = given.getOrDefault(option.key(), option.defaultValue());
      if (text != null) {
        parse(option, text, problems);
      }
    }
    if (parsed.containsKey(Options.STAGES.key())) {
      problems.addAll(StageCheck.problems(get(Options.STAGES)));
    }
    if (parsed.containsKey(Options.TEACHERS.key())) {
      problems.addAll(TeachersCheck.problems(get(Options.TEACHERS)));
    }
    if (parsed.containsKey(Options.SWEEP_OVER.key())
        && parsed.containsKey(Options.SWEEP_STUDENTS.key())) {
      problems.addAll(
          new SweepCheck(get(Options.SWEEP_OVER), get(Options.SWEEP_STUDENTS)).problems());
    }
  }

  private <T> void parse(Option<T> option, String text, List<String> problems) {
    try {
      T value = option.parser().apply(text);
      if (option.rule().test(value)) {
        parsed.put(option.key(), value);
        return;
      }
    } catch (IllegalArgumentException e) {
      // reported below, in the rule's words
    }
    problems.add(Errors.badValue(option.key(), option.ruleInWords(), text).getMessage());
  }

  private static Config load(Path recipe) {
    if (!Files.isRegularFile(recipe)) {
      throw Errors.noSuchPath("recipe", recipe);
    }
    try {
      // Absolute, because HOCON finds included files only next to a file that has a parent.
      return ConfigFactory.parseFile(
              recipe.toAbsolutePath().toFile(),
              ConfigParseOptions.defaults().setAllowMissing(false))
          .resolve();
    } catch (ConfigException e) {
      throw Errors.invalid(
          "recipe '%s' is not HOCON (%s)".formatted(recipe, e.getMessage()),
          "see conf/ for examples",
          e);
    }
  }

  /** Returns texts by key; those below sweep.over, whose keys are those of others, go apart. */
  private static Map<String, String> flatten(Config config, Map<String, List<String>> over) {
    Map<String, String> flat = new TreeMap<>();
    for (Map.Entry<String, ConfigValue> entry : config.entrySet()) {
      ConfigValue value = entry.getValue();
      String key = entry.getKey().replace("\"", "");
      if (key.startsWith(SWEEP_OVER)) {
        over.put(key.substring(SWEEP_OVER.length()), SweepText.texts(value));
        continue;
      }
      if (OF_OBJECTS.contains(key)) {
        flat.put(key, SweepText.write(value));
        continue;
      }
      String text =
          value.valueType() == ConfigValueType.LIST
              ? ((List<?>) value.unwrapped())
                  .stream().map(String::valueOf).collect(Collectors.joining(", ", "[", "]"))
              : String.valueOf(value.unwrapped());
      flat.put(key, text);
    }
    return flat;
  }

  /** Returns the key that differs least from one that is unknown. */
  static String nearest(String key, Iterable<String> keys) {
    String best = "";
    int bestDistance = Integer.MAX_VALUE;
    for (String candidate : keys) {
      int distance = distance(key, candidate);
      if (distance < bestDistance || distance == bestDistance && candidate.compareTo(best) < 0) {
        bestDistance = distance;
        best = candidate;
      }
    }
    return best;
  }

  /**
   * Levenshtein's distance; commons-text has one too, but would be a dependency for fifteen lines.
   */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int above = row[j];
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        row[j] = Math.min(replaced, Math.min(above, row[j - 1]) + 1);
        diagonal = above;
      }
    }
    return row[b.length()];
  }
}

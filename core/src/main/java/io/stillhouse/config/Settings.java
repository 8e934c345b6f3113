package io.stillhouse.config;

import static io.stillhouse.error.Text.format;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import io.stillhouse.error.Errors;
import io.stillhouse.error.Secrets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The checked values of a recipe. Precedence: {@code key=value} arguments, then the recipe file
 * (with its includes and {@code ${?ENV}}), then the options' defaults.
 */
public final class Settings {
  private static final String SWEEP_OVER = Options.SWEEP_OVER.key() + ".";

  /** The keys whose values are lists of objects. */
  private static final Set<String> OBJECT_LIST_KEYS =
      Set.of(Options.SWEEP_STUDENTS.key(), Options.STAGES.key(), Options.TEACHERS.key());

  private final Map<String, String> given;

  /** What is shown for values with secrets, by key. */
  private final Map<String, String> shown;

  private final Map<String, Object> parsed = new HashMap<>();
  private final Consumer<String> onRead;

  private Settings(Map<String, String> given, Map<String, String> shown, Consumer<String> onRead) {
    this.given = Map.copyOf(given);
    this.shown = Map.copyOf(shown);
    this.onRead = onRead;
  }

  /** Parses and checks values. */
  private static Settings checked(
      Map<String, String> given,
      Map<String, String> shown,
      Consumer<String> onRead,
      List<String> problems) {
    Settings settings = new Settings(given, shown, onRead);
    settings.check(problems);
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return settings;
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
    return of(
        recipe == null ? RecipeFile.NONE : RecipeFile.load(recipe, System.getenv()), arguments);
  }

  /**
   * Reads a recipe that is not in a file, as {@link #parse(Path, List)} does.
   *
   * @param recipe HOCON, without includes
   */
  public static Settings parseText(String recipe, List<String> arguments) {
    return of(RecipeFile.ofText(recipe, System.getenv()), arguments);
  }

  static Settings of(RecipeFile recipe, List<String> arguments) {
    Map<String, List<String>> over = new TreeMap<>();
    Map<String, String> given = flatten(recipe.values(), over);
    Map<String, String> shown = flatten(recipe.shown(), new TreeMap<>());
    shown.entrySet().removeIf(entry -> entry.getValue().equals(given.get(entry.getKey())));
    List<String> problems = new ArrayList<>();
    for (String argument : arguments) {
      int equals = argument.indexOf('=');
      if (equals <= 0) {
        problems.add(
            format("'%s' is not key=value; write settings such as train.epochs=3", argument));
      } else {
        String key = argument.substring(0, equals).replace("\"", "");
        String value = argument.substring(equals + 1);
        if (key.startsWith(SWEEP_OVER)) {
          over.put(key.substring(SWEEP_OVER.length()), SweepText.split(value));
        } else {
          given.put(key, value);
          shown.remove(key);
        }
      }
    }
    if (!over.isEmpty()) {
      given.merge(Options.SWEEP_OVER.key(), SweepText.write(over), SweepText::merge);
    }
    return checked(given, shown, key -> {}, problems);
  }

  /**
   * Returns the same settings with a listener that receives the key of each value that is read.
   * Tests use it to compare the keys that a command reads with those that its help lists.
   */
  public Settings observed(Consumer<String> listener) {
    return checked(given, shown, listener, new ArrayList<>());
  }

  /**
   * Returns an option's value.
   *
   * @throws io.stillhouse.error.StillhouseException if it is not set and has no default
   */
  public <T> T get(Option<T> option) {
    onRead.accept(option.key());
    return value(option);
  }

  /** Returns an option's value without notifying the listener. */
  @SuppressWarnings("unchecked") // parsed by the option's own parser
  <T> T value(Option<T> option) {
    Object value = parsed.get(option.key());
    if (value == null) {
      throw Errors.invalid(
          format("%s is missing (%s)", option.key(), option.doc()),
          format("set it in the recipe, or as %s=...", option.key()));
    }
    return (T) value;
  }

  /** Returns whether the recipe or an argument sets the option. */
  public boolean has(Option<?> option) {
    onRead.accept(option.key());
    return sets(option.key());
  }

  /** Returns whether the recipe or an argument sets a key, without notifying the listener. */
  boolean sets(String key) {
    return given.containsKey(key);
  }

  /**
   * Checks that options have a value.
   *
   * @throws io.stillhouse.error.StillhouseException listing all that are missing
   */
  public Settings require(Option<?>... options) {
    List<String> problems = new ArrayList<>();
    for (Option<?> option : options) {
      onRead.accept(option.key());
      if (!parsed.containsKey(option.key())
          || option.defaultValue() != null
              && !sets(option.key())
              && option.defaultValue().isEmpty()) {
        problems.add(
            format(
                "%s is missing (%s); set it in the recipe, or as %s=...",
                option.key(), option.doc(), option.key()));
      }
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return this;
  }

  /** Returns a copy with additional values, which override existing ones. */
  public Settings with(Map<String, String> more) {
    Map<String, String> merged = new TreeMap<>(given);
    merged.putAll(more);
    Map<String, String> stillShown = new TreeMap<>(shown);
    stillShown.keySet().removeAll(more.keySet());
    return checked(merged, stillShown, onRead, new ArrayList<>());
  }

  /**
   * Returns all values, including defaults, for the record of a run. Secret values of environment
   * variables are replaced by the variable's name.
   */
  public Map<String, String> allValues() {
    Map<String, String> all = new TreeMap<>();
    for (Option<?> option : Options.ALL) {
      String text = given.getOrDefault(option.key(), option.defaultValue());
      if (text != null) {
        all.put(option.key(), shown.getOrDefault(option.key(), text));
      }
    }
    return all;
  }

  private void check(List<String> problems) {
    for (String key : given.keySet()) {
      if (Keys.find(key) == null) {
        problems.add(Keys.unknown(key));
      }
    }
    for (Option<?> option : Options.ALL) {
      String text = given.getOrDefault(option.key(), option.defaultValue());
      if (text != null) {
        parse(option, text, problems);
      }
    }
    if (parsed.containsKey(Options.STAGES.key())) {
      problems.addAll(StageCheck.problems(value(Options.STAGES)));
    }
    if (parsed.containsKey(Options.TEACHERS.key())) {
      problems.addAll(TeachersCheck.problems(value(Options.TEACHERS)));
    }
    if (parsed.containsKey(Options.SWEEP_OVER.key())
        && parsed.containsKey(Options.SWEEP_STUDENTS.key())) {
      problems.addAll(
          new SweepCheck(value(Options.SWEEP_OVER), value(Options.SWEEP_STUDENTS)).problems());
    }
  }

  private <T> void parse(Option<T> option, String text, List<String> problems) {
    if (Secrets.areInUrl(text)) {
      problems.add(String.valueOf(Errors.credentialsIn(option.key(), text).getMessage()));
      return;
    }
    try {
      T value = option.parser().apply(text);
      if (option.rule().test(value)) {
        parsed.put(option.key(), value);
        return;
      }
    } catch (IllegalArgumentException e) {
      // reported below, in the rule's words
    }
    String value = shown.getOrDefault(option.key(), text);
    problems.add(Errors.badValue(option.key(), option.ruleInWords(), value).getMessage());
  }

  /**
   * Returns the values of a recipe as text, by key.
   *
   * @param over receives the lists of {@code sweep.over}, by the keys of the options that they vary
   */
  private static Map<String, String> flatten(Config config, Map<String, List<String>> over) {
    Map<String, String> flat = new TreeMap<>();
    for (Map.Entry<String, ConfigValue> entry : config.entrySet()) {
      ConfigValue value = entry.getValue();
      String key = entry.getKey().replace("\"", "");
      if (key.startsWith(SWEEP_OVER)) {
        over.put(key.substring(SWEEP_OVER.length()), SweepText.texts(value));
        continue;
      }
      if (OBJECT_LIST_KEYS.contains(key)) {
        flat.put(key, SweepText.write(value));
        continue;
      }
      String text =
          value.valueType() == ConfigValueType.LIST
              ? ListText.write((List<?>) value.unwrapped())
              : String.valueOf(value.unwrapped());
      flat.put(key, text);
    }
    return flat;
  }
}

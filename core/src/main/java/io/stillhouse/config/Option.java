package io.stillhouse.config;

import static io.stillhouse.error.Text.format;

import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A setting.
 *
 * @param key its dotted key in a recipe
 * @param defaultValue the default in a recipe's notation, or null if there is none
 * @param parser reads the notation; may throw {@link IllegalArgumentException}
 * @param rule the condition that a parsed value must meet
 * @param ruleInWords completes "{@code key} must be ..."
 * @param doc the meaning, in one or two sentences, with the unit
 */
public record Option<T>(
    String key,
    @Nullable String defaultValue,
    Function<String, T> parser,
    Predicate<T> rule,
    String ruleInWords,
    String doc) {

  /** Returns the group of the key: its first word, or {@code general} for a key of one word. */
  public String group() {
    int dot = key.indexOf('.');
    return dot < 0 ? "general" : key.substring(0, dot);
  }

  /**
   * Returns the error message for a value inside another setting, if the value is invalid.
   *
   * @param where the setting that contains the value, such as {@code train.stages}
   */
  Optional<String> problem(String where, String text) {
    return problem(key, where, text);
  }

  /**
   * Returns the error message for a value inside another setting, if the value is invalid.
   *
   * @param name the name of the value in that setting
   */
  Optional<String> problem(String name, String where, String text) {
    try {
      if (rule.test(parser.apply(text))) {
        return Optional.empty();
      }
    } catch (IllegalArgumentException e) {
      // reported below, in the rule's words
    }
    return Optional.of(format("%s in %s must be %s, but is '%s'", name, where, ruleInWords, text));
  }
}

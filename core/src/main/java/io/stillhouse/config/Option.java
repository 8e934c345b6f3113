package io.stillhouse.config;

import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One setting.
 *
 * @param key the dotted key in a recipe
 * @param defaultValue the default in the recipe's own notation, or null where there is none
 * @param parser reads the notation; may throw {@link IllegalArgumentException}
 * @param rule what a parsed value must satisfy
 * @param ruleInWords completes "{@code key} must be ..."
 * @param doc what it does, with its unit
 */
public record Option<T>(
    String key,
    @Nullable String defaultValue,
    Function<String, T> parser,
    Predicate<T> rule,
    String ruleInWords,
    String doc) {

  /**
   * Returns what is wrong with a value, if anything is.
   *
   * @param where it is written, a setting that holds others
   */
  Optional<String> problem(String where, String text) {
    return problem(key, where, text);
  }

  /** As the other, of a value that has another name there. */
  Optional<String> problem(String named, String where, String text) {
    try {
      if (rule.test(parser.apply(text))) {
        return Optional.empty();
      }
    } catch (IllegalArgumentException e) {
      // told below, in the rule's words
    }
    return Optional.of(
        "%s in %s must be %s, but is '%s'".formatted(named, where, ruleInWords, text));
  }
}

package io.stillhouse.config;

import static io.stillhouse.error.Text.format;

import java.util.List;
import java.util.Locale;
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

  /** Returns an option with a rule of its own. */
  static <T> Option<T> checked(
      String key,
      @Nullable String defaultValue,
      Function<String, T> parser,
      Predicate<T> rule,
      String words,
      String doc) {
    return new Option<>(key, defaultValue, parser, rule, words, doc);
  }

  /** Returns an option that is any text. */
  static Option<String> text(String key, @Nullable String defaultValue, String doc) {
    return checked(key, defaultValue, Function.identity(), t -> true, "text", doc);
  }

  /** Returns an option that is one of several words, in any case. */
  static Option<String> oneOf(String key, String defaultValue, List<String> values, String doc) {
    return checked(
        key,
        defaultValue,
        t -> t.toLowerCase(Locale.ROOT),
        values::contains,
        "one of " + String.join(", ", values),
        doc);
  }

  /** Returns an option that is true or false. */
  static Option<Boolean> bool(String key, String defaultValue, String doc) {
    return checked(key, defaultValue, Option::parseBoolean, b -> true, "true or false", doc);
  }

  /** Returns an option that is a seed, by default 42. */
  static Option<Long> seed(String key, String doc) {
    return checked(key, "42", Long::valueOf, seed -> true, "a whole number", doc);
  }

  /** Returns an option that is a whole number of at least {@code least}. */
  static Option<Integer> atLeast(String key, @Nullable String defaultValue, int least, String doc) {
    return checked(
        key, defaultValue, Integer::valueOf, n -> n >= least, "a whole number >= " + least, doc);
  }

  /** Returns an option that is a number. */
  static Option<Double> number(
      String key, String defaultValue, Predicate<Double> rule, String words, String doc) {
    return checked(key, defaultValue, Double::valueOf, rule, words, doc);
  }

  /** Returns an option that is a weight of a loss, by default 0. */
  static Option<Double> weight(String key, String doc) {
    return number(key, "0.0", w -> w >= 0 && Double.isFinite(w), "a finite number >= 0", doc);
  }

  /** Returns an option that is a list of texts. */
  static Option<List<String>> list(String key, @Nullable String defaultValue, String doc) {
    return checked(
        key,
        defaultValue,
        ListText::parse,
        l -> true,
        "a value, or a list such as [a, \"b, c\"]",
        doc);
  }

  /** Returns an option that is a list of whole numbers from 0. */
  static Option<List<Integer>> integers(String key, String defaultValue, String doc) {
    return checked(
        key,
        defaultValue,
        text -> ListText.parse(text).stream().map(Integer::valueOf).toList(),
        l -> l.stream().allMatch(n -> n >= 0),
        "a list of whole numbers >= 0 such as [0, 3, 6]",
        doc);
  }

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

  private static boolean parseBoolean(String text) {
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default -> throw new IllegalArgumentException(text);
    };
  }
}

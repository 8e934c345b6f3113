package io.stillhouse.config;

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
    String doc) {}

package io.stillhouse.config;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Spelling;
import java.util.Collection;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Finds options by key, and describes what is wrong with unknown keys. */
final class Keys {
  private static final Map<String, Option<?>> BY_KEY =
      Options.ALL.stream().collect(Collectors.toMap(Option::key, Function.identity()));

  private Keys() {}

  /** Returns the option with a key, or null if the key is unknown. */
  static @Nullable Option<?> find(String key) {
    return BY_KEY.get(key);
  }

  /** Returns the error message for an unknown key. */
  static String unknown(String key) {
    return unknown(key, "", BY_KEY.keySet());
  }

  /**
   * Returns the error message for an unknown key inside another setting.
   *
   * @param setting the setting that contains it, such as {@code train.stages}
   */
  static String unknownIn(String setting, String key) {
    return unknown(key, " in " + setting, BY_KEY.keySet());
  }

  /**
   * Returns the error message for an unknown key.
   *
   * @param where text that follows the key in the message
   * @param known the keys that are allowed there
   */
  static String unknown(String key, String where, Collection<String> known) {
    String renamed = Options.RENAMED.get(key);
    return renamed != null
        ? format("'%s'%s was renamed to %s; use the new name", key, where, renamed)
        : format(
            "unknown key '%s'%s; did you mean '%s'?", key, where, Spelling.nearest(key, known));
  }
}

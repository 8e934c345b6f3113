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

  /** The new names of renamed keys. An old key is refused with its new name. */
  static final Map<String, String> RENAMED =
      Map.ofEntries(
          Map.entry("cache.max-invalid", "corpus.max-invalid"),
          Map.entry("cache.max-poison", "corpus.max-invalid"),
          Map.entry("cache.tokens-per-batch", "cache.batch-tokens"),
          Map.entry("cache.unit-tokens", "cache.shard-tokens"),
          Map.entry("evaluate.against", "evaluate.reference"),
          Map.entry("finetune.held-out", "finetune.validation"),
          Map.entry("heads.model", "head-importance.model"),
          Map.entry("heads.normalise", "head-importance.normalize"),
          Map.entry("heads.output", "head-importance.output"),
          Map.entry("heads.rows", "head-importance.rows"),
          Map.entry("student.heads-from", "student.head-importance"),
          Map.entry("train.clip-norm", "train.max-grad-norm"),
          Map.entry("train.held-out", "train.validation"),
          Map.entry("train.measure-every", "train.eval-every"),
          Map.entry("train.patience", "train.early-stopping-patience"),
          Map.entry("train.rows-per-step", "train.batch-size"),
          Map.entry("train.shuffle-units", "train.shuffle-shards"),
          Map.entry("train.tokens-per-batch", "train.micro-batch-tokens"),
          Map.entry("train.undistilled-twin", "train.baseline"),
          Map.entry("train.warmup", "train.warmup-steps"));

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
    String renamed = RENAMED.get(key);
    return renamed != null
        ? format("'%s'%s was renamed to %s; use the new name", key, where, renamed)
        : format(
            "unknown key '%s'%s; did you mean '%s'?", key, where, Spelling.nearest(key, known));
  }
}

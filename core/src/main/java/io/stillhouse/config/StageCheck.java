package io.stillhouse.config;

import static io.stillhouse.error.Text.format;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Checks the settings of a recipe's stages, {@code train.stages}. */
final class StageCheck {
  private static final List<String> ALLOWED_PREFIXES =
      List.of("cache.path", "teacher.", "corpus.", "targets.", "loss.", "train.");

  /** Student keys that may differ between stages; all stages train the same student. */
  private static final Set<String> STUDENT_KEYS =
      Set.of(Options.LAYER_MAP.key(), Options.STUDENT_DROPOUT.key());

  /** Train keys that all stages share. */
  private static final Set<String> COMMON =
      Set.of(
          Options.TRAIN_PATH.key(),
          Options.METRICS.key(),
          Options.STAGES.key(),
          Options.BASELINE.key());

  private StageCheck() {}

  /** Returns every problem with the values of {@link Options#STAGES}. */
  static List<String> problems(List<Map<String, String>> stages) {
    List<String> problems = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (Map<String, String> stage : stages) {
      String name = stage.getOrDefault(Options.STUDENT_NAME.key(), "");
      if (name.isEmpty()) {
        problems.add(
            "a stage of train.stages has no name; name each stage, such as name = general");
      } else if (!names.add(name)) {
        problems.add(
            format("train.stages names '%s' twice; give each stage a different name", name));
      }
      stage.forEach(
          (key, value) -> {
            Option<?> option = Keys.find(key);
            if (option == null) {
              problems.add(Keys.unknownIn("train.stages", key));
            } else if (!mayDiffer(key)) {
              problems.add(
                  format(
                      "'%s' cannot be in train.stages, because all stages share it; set it outside"
                          + " of train.stages",
                      key));
            } else {
              option.problem("train.stages", value).ifPresent(problems::add);
            }
          });
    }
    return problems;
  }

  private static boolean mayDiffer(String key) {
    return key.equals(Options.STUDENT_NAME.key())
        || STUDENT_KEYS.contains(key)
        || !COMMON.contains(key) && ALLOWED_PREFIXES.stream().anyMatch(key::startsWith);
  }
}

package io.stillhouse.config;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** What is wrong with the settings of a recipe's stages. */
final class StageCheck {
  private static final List<String> OWN =
      List.of("cache.path", "teacher.", "corpus.", "targets.", "loss.", "train.");

  /** Of the student, which is one and the same in all stages. */
  private static final Set<String> OF_STUDENT =
      Set.of(Options.LAYER_MAP.key(), Options.STUDENT_DROPOUT.key());

  /** Of all stages together. */
  private static final Set<String> COMMON =
      Set.of(
          Options.TRAIN_PATH.key(),
          Options.METRICS.key(),
          Options.STAGES.key(),
          Options.BASELINE.key());

  private StageCheck() {}

  static List<String> problems(List<Map<String, String>> stages) {
    Map<String, Option<?>> options =
        Options.ALL.stream().collect(Collectors.toMap(Option::key, option -> option));
    List<String> problems = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (Map<String, String> stage : stages) {
      String name = stage.getOrDefault(Options.STUDENT_NAME.key(), "");
      if (name.isEmpty()) {
        problems.add("a stage of train.stages has no name; give each one, such as name = general");
      } else if (!names.add(name)) {
        problems.add("train.stages names '%s' twice; give each a name of its own".formatted(name));
      }
      stage.forEach(
          (key, value) -> {
            Option<?> option = options.get(key);
            if (option == null) {
              problems.add(
                  "unknown key '%s' in train.stages; did you mean '%s'?"
                      .formatted(key, Settings.nearest(key, new TreeSet<>(options.keySet()))));
            } else if (!mayDiffer(key)) {
              problems.add(
                  "'%s' cannot be in train.stages, because all stages share it; set it outside"
                      .formatted(key));
            } else {
              option.problem("train.stages", value).ifPresent(problems::add);
            }
          });
    }
    return problems;
  }

  private static boolean mayDiffer(String key) {
    return key.equals(Options.STUDENT_NAME.key())
        || OF_STUDENT.contains(key)
        || !COMMON.contains(key) && OWN.stream().anyMatch(key::startsWith);
  }
}

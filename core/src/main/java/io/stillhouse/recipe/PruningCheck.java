package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import java.util.ArrayList;
import java.util.List;

/** Checks the settings of a student with pruned attention heads. */
final class PruningCheck {
  /** Losses on attention or relations, which a pruned head does not have. */
  private static final List<Option<Double>> HEAD_WEIGHTS =
      List.of(
          Options.ATTENTION_WEIGHT,
          Options.ATTENTION_KL_WEIGHT,
          Options.QUERY_WEIGHT,
          Options.KEY_WEIGHT,
          Options.VALUE_WEIGHT);

  private PruningCheck() {}

  /** Returns every problem; none if no heads are pruned. */
  static List<String> problems(Settings settings, ModelSpec student) {
    double share = settings.get(Options.PRUNED_HEADS);
    if (share == 0) {
      return List.of();
    }
    String pruned = format("%s is %s, but ", Options.PRUNED_HEADS.key(), share);
    if (!(student instanceof EncoderSpec)) {
      return List.of(pruned + "a BiLSTM has no heads; remove the key");
    }
    List<String> problems = new ArrayList<>();
    if (settings.get(Options.HEAD_IMPORTANCE).isEmpty()) {
      problems.add(
          pruned
              + "student.head-importance is empty; run the head-importance command and name its"
              + " output, or set student.pruned-heads=0");
    }
    if (settings.get(Options.STUDENT_INIT).equals("random")) {
      problems.add(
          pruned
              + "student.init is random, and heads of random weights are equally important;"
              + " set student.init=teacher, or student.pruned-heads=0");
    }
    for (Option<Double> weight : HEAD_WEIGHTS) {
      if (settings.get(weight) != 0) {
        problems.add(
            format(
                "%s is %s, but pruned heads have no attention to compare with the teacher's; set it"
                    + " to 0, or student.pruned-heads=0",
                weight.key(), settings.get(weight)));
      }
    }
    return problems;
  }
}

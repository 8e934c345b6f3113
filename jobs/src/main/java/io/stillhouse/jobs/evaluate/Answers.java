package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.inference.Outputs;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LabelSet;
import java.util.ArrayList;
import java.util.List;

/** Predictions and labels in words, for people who compare models. */
public final class Answers {
  private Answers() {}

  /** Returns the most probable class, the labels over one half, or the score. */
  public static String prediction(Head head, double[] outputs) {
    return switch (head.task()) {
      case CLASSIFICATION -> {
        int best = Outputs.order(outputs).get(0);
        yield format("%s (%.2f)", head.labels().get(best), outputs[best]);
      }
      case MULTI_LABEL -> {
        List<String> set = new ArrayList<>();
        for (int label = 0; label < outputs.length; label++) {
          if (outputs[label] > 0.5) {
            set.add(format("%s (%.2f)", head.labels().get(label), outputs[label]));
          }
        }
        yield set.isEmpty() ? "none" : String.join(", ", set);
      }
      case REGRESSION -> format("%.3f", outputs[0]);
      case MASKED_LM, NONE -> "";
    };
  }

  /** Returns the name of the true class, those of the true labels, or the score; "" if none. */
  public static String label(Head head, double label) {
    if (Double.isNaN(label)) {
      return "";
    }
    return switch (head.task()) {
      case CLASSIFICATION -> head.labels().get((int) label);
      case MULTI_LABEL -> {
        double[] numbers = LabelSet.numbers(label, head.outputs());
        List<String> set = new ArrayList<>();
        for (int each = 0; each < numbers.length; each++) {
          if (numbers[each] == 1) {
            set.add(head.labels().get(each));
          }
        }
        yield set.isEmpty() ? "none" : String.join(", ", set);
      }
      case REGRESSION -> format("%.3f", label);
      case MASKED_LM, NONE -> "";
    };
  }
}

package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.LabelCodec;
import java.math.BigDecimal;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Decides whether labels are classes or scores, and whether a model already predicts them. */
final class TableLabels {
  /** Numbers with more distinct values than this, some of them fractions, are scores. */
  private static final int MOST_NUMERIC_CLASSES = 10;

  /** Classes have at least this many rows on average. */
  private static final double FEWEST_ROWS = 2;

  private TableLabels() {}

  /**
   * Returns the task of a label column, as {@code finetune.task} names it.
   *
   * @param counts number of rows by label
   * @param column name of the column, for messages
   * @throws StillhouseException if the labels are neither classes nor scores
   */
  static String task(Map<String, Long> counts, String column) {
    if (isScores(counts.keySet())) {
      return "regression";
    }
    Optional<String> several = counts.keySet().stream().filter(l -> l.contains("|")).findFirst();
    if (several.isPresent()) {
      throw Errors.invalid(
          format(
              "column '%s' holds labels with vertical bars, such as '%s'", column, several.get()),
          "set finetune.task=multi-label if bars separate labels, or finetune.task=classification"
              + " if each of these is one class");
    }
    long rows = counts.values().stream().mapToLong(Long::longValue).sum();
    if (counts.size() < 2 || rows < FEWEST_ROWS * counts.size()) {
      throw noClasses(column, counts.size(), rows);
    }
    return "classification";
  }

  /** Returns the error for a column with too many or too few distinct values to be classes. */
  static StillhouseException noClasses(String column, long distinct, long rows) {
    return Errors.invalid(
        format(
            "column '%s' has %,d distinct values in %,d labelled rows, so it does not hold classes",
            column, distinct, rows),
        "set corpus.label to another column, or finetune.task=regression if it holds numbers");
  }

  /** Returns the task that {@code finetune.task} names. */
  static Task named(String task) {
    return Task.valueOf(task.toUpperCase(Locale.ROOT).replace('-', '_'));
  }

  private static boolean isScores(Set<String> labels) {
    boolean fractions = false;
    for (String label : labels) {
      try {
        fractions |= new BigDecimal(label.strip()).stripTrailingZeros().scale() > 0;
      } catch (NumberFormatException e) {
        return false;
      }
    }
    return fractions && labels.size() > MOST_NUMERIC_CLASSES;
  }

  /**
   * Returns whether a model's head already predicts the labels of a table, so that the model needs
   * no fine-tuning. It may have more classes if the labels are names of most of them.
   *
   * @param classes distinct labels; ignored unless the task is classification
   */
  static boolean fits(Head head, Task task, Set<String> classes) {
    if (head.task() != task) {
      return false;
    }
    if (task == Task.REGRESSION) {
      return true;
    }
    if (task == Task.MULTI_LABEL) {
      return head.labels().containsAll(classes);
    }
    try {
      LabelCodec codec = LabelCodec.of(head);
      Set<Double> ids = new HashSet<>();
      for (String label : List.copyOf(classes)) {
        ids.add(codec.encode(label, label));
      }
      boolean mostNames = head.labels().containsAll(classes) && 2 * ids.size() > head.outputs();
      return ids.size() == head.outputs() || mostNames;
    } catch (StillhouseException e) {
      return false; // a class that the head does not know
    }
  }
}

package io.stillhouse.text;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LabelSet;
import io.stillhouse.spec.Task;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads labels for a head's task: a class id for classification, a number for regression, a {@link
 * LabelSet} for multi-label classification.
 *
 * <p>A class label is the name of a class or its id. If any class name is a number, labels are
 * never read as ids: with classes "1" and "2", the label "0" is an error and does not mean class
 * "1".
 */
public final class LabelCodec {
  /**
   * A class id. Many tools convert a column of integers with missing values to doubles, which end
   * in ".0".
   */
  private static final Pattern CLASS_ID = Pattern.compile("(\\d{1,9})(\\.0+)?");

  private static final int CLASSES_SHOWN = 12;

  /** Separates the labels of one row in multi-label classification. */
  private static final String SEPARATOR = "|";

  private final Task task;
  private final List<String> classes;
  private final Map<String, Integer> idOfName = new HashMap<>();
  private final boolean idsAllowed;

  private LabelCodec(Task task, List<String> classes) {
    this.task = task;
    this.classes = classes;
    for (int id = 0; id < classes.size(); id++) {
      idOfName.put(classes.get(id), id);
    }
    this.idsAllowed = classes.stream().noneMatch(name -> CLASS_ID.matcher(name).matches());
  }

  /**
   * Returns the codec for a head that reads the pooled first token.
   *
   * @throws StillhouseException if a multi-label head has more labels than a {@link LabelSet} can
   *     hold, or two classes share a name
   */
  public static LabelCodec of(Head head) {
    if (!head.task().pooled()) {
      throw new IllegalArgumentException("a " + head.task() + " head has no labels");
    }
    if (head.task() == Task.MULTI_LABEL && head.labels().size() > LabelSet.MAX_LABELS) {
      throw Errors.invalid(
          "the multi-label teacher has %d labels, but at most %d are supported"
              .formatted(head.labels().size(), LabelSet.MAX_LABELS),
          "leave corpus.label out to distill from its soft labels alone, or use a teacher with"
              + " fewer labels");
    }
    if (new HashSet<>(head.labels()).size() < head.labels().size()) {
      throw Errors.invalid(
          "the teacher has two classes with the same name (%s), so labels are ambiguous"
              .formatted(head.labels()),
          "leave corpus.label out to distill from its soft labels alone, or rename one of the"
              + " classes in config.json");
    }
    return new LabelCodec(head.task(), head.labels());
  }

  /** Splits the labels of a row at vertical bars. */
  public static List<String> split(@Nullable String labels) {
    return labels == null
        ? List.of()
        : Arrays.stream(labels.split(Pattern.quote(SEPARATOR)))
            .map(String::strip)
            .filter(label -> !label.isEmpty())
            .toList();
  }

  /**
   * Joins labels as {@link #split} reads them; null labels are left out.
   *
   * @param rowKey identifies the row in the error message
   * @throws StillhouseException if a label contains a vertical bar, which would split it in two
   */
  public static String join(List<@Nullable String> labels, String rowKey) {
    StringJoiner joined = new StringJoiner(SEPARATOR);
    for (String label : labels) {
      if (label != null && label.contains(SEPARATOR)) {
        throw Errors.invalid(
            "the label '%s' of row '%s' contains a vertical bar, which separates labels"
                .formatted(label, rowKey),
            "rename that label");
      }
      if (label != null) {
        joined.add(label);
      }
    }
    return joined.toString();
  }

  /**
   * Returns the class id of a label, the number for regression, or the {@link LabelSet} for a
   * multi-label head.
   *
   * @param label the label as written in the corpus, or null if missing; for a multi-label head,
   *     labels separated by bars, none if empty or missing
   * @param rowKey identifies the row in the error message
   * @throws StillhouseException if the label is not one of the classes or not a finite number, or
   *     is missing and the head is not multi-label
   */
  public double encode(@Nullable String label, String rowKey) {
    String trimmed = label == null ? "" : label.strip();
    return switch (task) {
      case REGRESSION -> number(trimmed, rowKey);
      case MULTI_LABEL -> set(trimmed, rowKey);
      default -> classId(trimmed, rowKey);
    };
  }

  private double set(String labels, String rowKey) {
    double set = 0;
    for (String label : split(labels)) {
      set = LabelSet.with(set, classId(label, rowKey));
    }
    return set;
  }

  private int classId(String label, String rowKey) {
    Integer named = idOfName.get(label);
    if (named != null) {
      return named;
    }
    Matcher id = CLASS_ID.matcher(label);
    if (idsAllowed && id.matches() && Integer.parseInt(id.group(1)) < classes.size()) {
      return Integer.parseInt(id.group(1));
    }
    String rule =
        idsAllowed
            ? "one of the teacher's %d classes or an id of 0 to %d"
                .formatted(classes.size(), classes.size() - 1)
            : "one of the teacher's %d classes".formatted(classes.size());
    throw Errors.invalid(
        "the label of row '%s' must be %s, but is '%s'; the classes are %s"
            .formatted(rowKey, rule, label, shownClasses()),
        "correct the row, choose another label column, or use a teacher with that class");
  }

  private static double number(String label, String rowKey) {
    double value;
    try {
      value = Double.parseDouble(label);
    } catch (NumberFormatException e) {
      value = Double.NaN;
    }
    if (!Double.isFinite(value)) {
      throw Errors.invalid(
          "the label of row '%s' must be a finite number for regression, but is '%s'"
              .formatted(rowKey, label),
          "correct the row or choose another label column");
    }
    return value;
  }

  private String shownClasses() {
    return classes.size() <= CLASSES_SHOWN
        ? classes.toString()
        : "%s and %d more"
            .formatted(classes.subList(0, CLASSES_SHOWN), classes.size() - CLASSES_SHOWN);
  }
}

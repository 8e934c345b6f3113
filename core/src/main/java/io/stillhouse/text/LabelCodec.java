package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LabelSet;
import io.stillhouse.spec.Task;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads labels for a head's task: a class id for classification, a number for regression, a {@link
 * LabelSet} for multi-label classification.
 *
 * <p>A class label is the name of a class or its id; names are compared in their {@link
 * ClassNames#canonical} spelling. If any class name is a number, labels are never read as ids: with
 * classes "1" and "2", the label "0" is an error and does not mean class "1".
 */
public final class LabelCodec {
  private static final Pattern CLASS_ID = Pattern.compile("\\d{1,9}");

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
      idOfName.put(ClassNames.canonical(classes.get(id)), id);
    }
    this.idsAllowed = classes.stream().noneMatch(ClassNames::isNumber);
  }

  /**
   * Returns the codec for a head that reads the pooled first token.
   *
   * @throws StillhouseException if two classes share a name, or if a multi-label head has more
   *     labels than a {@link LabelSet} can hold or a label with a vertical bar
   */
  public static LabelCodec of(Head head) {
    if (!head.task().pooled()) {
      throw new IllegalArgumentException("a " + head.task() + " head has no labels");
    }
    if (head.task() == Task.MULTI_LABEL && head.labels().size() > LabelSet.MAX_LABELS) {
      throw Errors.invalid(
          format(
              "the multi-label model has %d labels, but at most %d are supported",
              head.labels().size(), LabelSet.MAX_LABELS),
          "leave corpus.label out to distill from its soft labels alone, or use a teacher with"
              + " fewer labels");
    }
    requireDistinct(head.labels());
    List<String> split =
        head.labels().stream().filter(name -> name.contains(SEPARATOR)).limit(1).toList();
    if (head.task() == Task.MULTI_LABEL && !split.isEmpty()) {
      throw Errors.invalid(
          format(
              "the name of the label '%s' contains a vertical bar, which separates the labels of a"
                  + " row",
              Errors.shortened(split.get(0))),
          "rename that label");
    }
    return new LabelCodec(head.task(), head.labels());
  }

  /**
   * Returns the codec of class labels if there is no model.
   *
   * @throws StillhouseException if two classes share a name
   */
  public static LabelCodec ofNames(List<String> classes) {
    requireDistinct(classes);
    return new LabelCodec(Task.CLASSIFICATION, classes);
  }

  private static void requireDistinct(List<String> classes) {
    if (classes.stream().map(ClassNames::canonical).distinct().count() < classes.size()) {
      throw Errors.invalid(
          format(
              "two classes have the same name (%s), so labels are ambiguous",
              ClassNames.shown(classes)),
          "give each class its own name in corpus.classes, or leave corpus.label out to distill"
              + " from soft labels alone");
    }
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
            format(
                "the label '%s' of row '%s' contains a vertical bar, which separates labels",
                Errors.shortened(label), rowKey),
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
    if (label.isEmpty()) {
      throw Errors.invalid(
          format(
              "the label of row '%s' is missing; the classes are %s",
              rowKey, ClassNames.shown(classes)),
          "add it, or remove the row");
    }
    String name = ClassNames.canonical(label);
    Integer named = idOfName.get(name);
    if (named != null) {
      return named;
    }
    if (idsAllowed && CLASS_ID.matcher(name).matches() && Integer.parseInt(name) < classes.size()) {
      return Integer.parseInt(name);
    }
    String rule =
        idsAllowed
            ? format("one of %d classes or an id of 0 to %d", classes.size(), classes.size() - 1)
            : format("one of %d classes", classes.size());
    throw Errors.invalid(
        format(
            "the label of row '%s' must be %s, but is '%s'; the classes are %s",
            rowKey, rule, Errors.shortened(label), ClassNames.shown(classes)),
        "correct the row, choose another label column, or set corpus.classes to the names in the"
            + " data, in the order of the class ids");
  }

  private static double number(String label, String rowKey) {
    double value;
    try {
      value = new BigDecimal(label).doubleValue(); // Double.parseDouble also reads "1d" and "0x1p3"
    } catch (NumberFormatException e) {
      value = Double.NaN;
    }
    if (!Double.isFinite(value)) {
      throw Errors.invalid(
          format(
              "the label of row '%s' must be a finite number for regression, but is '%s'",
              rowKey, Errors.shortened(label)),
          "correct the row or choose another label column");
    }
    return value;
  }
}

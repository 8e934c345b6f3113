package io.stillhouse.text;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads the labels of a head's task: class ids for classification, numbers for regression.
 *
 * <p>A class label is a class's name, or else the class's id. Ids are not tried where a class has a
 * number for its name: with the classes "1" and "2", a label "0" is a mistake, not class "1".
 */
public final class LabelCodec {
  /** An id; a column of numbers with gaps becomes one of doubles in many tools, hence ".0". */
  private static final Pattern CLASS_ID = Pattern.compile("(\\d{1,9})(\\.0+)?");

  private static final int CLASSES_SHOWN = 12;

  private final List<String> classes;
  private final Map<String, Integer> idOfName = new HashMap<>();
  private final boolean idsAllowed;

  private LabelCodec(List<String> classes) {
    this.classes = classes;
    for (int id = 0; id < classes.size(); id++) {
      idOfName.put(classes.get(id), id);
    }
    this.idsAllowed = classes.stream().noneMatch(name -> CLASS_ID.matcher(name).matches());
  }

  /** Returns the codec of a head that classifies or regresses. */
  public static LabelCodec of(Head head) {
    if (head.task() != Task.CLASSIFICATION && head.task() != Task.REGRESSION) {
      throw new IllegalArgumentException("a " + head.task() + " head has no labels");
    }
    return new LabelCodec(head.labels());
  }

  /**
   * Returns a label's class id, or its number for regression.
   *
   * @param label as it stands in the corpus; null where it is missing
   * @param rowKey names the row in the error
   * @throws StillhouseException if it is missing, none of the classes, or not a finite number
   */
  public double encode(@Nullable String label, String rowKey) {
    String trimmed = label == null ? "" : label.strip();
    return classes.isEmpty() ? number(trimmed, rowKey) : classId(trimmed, rowKey);
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
        "mend the row, choose another label column, or use a teacher with that class");
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
          "mend the row or choose another label column");
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

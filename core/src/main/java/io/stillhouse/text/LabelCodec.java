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
 * Reads the labels of a head's task: class ids for classification, numbers for regression, {@link
 * LabelSet}s where a row may have several.
 *
 * <p>A class label is a class's name, or else the class's id. Ids are not tried where a class has a
 * number for its name: with the classes "1" and "2", a label "0" is a mistake, not class "1".
 */
public final class LabelCodec {
  /** An id; a column of numbers with gaps becomes one of doubles in many tools, hence ".0". */
  private static final Pattern CLASS_ID = Pattern.compile("(\\d{1,9})(\\.0+)?");

  private static final int CLASSES_SHOWN = 12;

  /** Between the labels of a row that may have several. */
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
   * Returns the codec of a head that reads the pooled first token.
   *
   * @throws StillhouseException if it gives rows several of more labels than a {@link LabelSet}
   *     has, or two classes share a name
   */
  public static LabelCodec of(Head head) {
    if (!head.task().pooled()) {
      throw new IllegalArgumentException("a " + head.task() + " head has no labels");
    }
    if (head.task() == Task.MULTI_LABEL && head.labels().size() > LabelSet.MOST) {
      throw Errors.invalid(
          "the teacher has %d labels of which a row may have several, and a row's labels are kept for %d at most"
              .formatted(head.labels().size(), LabelSet.MOST),
          "leave corpus.label out to distil from its soft labels alone, or use a teacher with fewer"
              + " labels");
    }
    if (new HashSet<>(head.labels()).size() < head.labels().size()) {
      throw Errors.invalid(
          "the teacher has two classes of one name, %s, and a row's label could be either"
              .formatted(head.labels()),
          "leave corpus.label out to distil from its soft labels alone, or name its classes apart"
              + " in config.json");
    }
    return new LabelCodec(head.task(), head.labels());
  }

  /** Returns the labels of a row that may have several, as they are written between bars. */
  public static List<String> split(@Nullable String labels) {
    return labels == null
        ? List.of()
        : Arrays.stream(labels.split(Pattern.quote(SEPARATOR)))
            .map(String::strip)
            .filter(label -> !label.isEmpty())
            .toList();
  }

  /**
   * Writes labels as {@link #split} reads them; missing ones are left out.
   *
   * @param rowKey names the row in the error
   * @throws StillhouseException if a label has a bar in it, which would make two of it
   */
  public static String join(List<@Nullable String> labels, String rowKey) {
    StringJoiner joined = new StringJoiner(SEPARATOR);
    for (String label : labels) {
      if (label != null && label.contains(SEPARATOR)) {
        throw Errors.invalid(
            "the label '%s' of row '%s' has a vertical bar in it, which stands between labels"
                .formatted(label, rowKey),
            "write that label otherwise");
      }
      if (label != null) {
        joined.add(label);
      }
    }
    return joined.toString();
  }

  /**
   * Returns a label's class id, its number for regression, or the {@link LabelSet} of several.
   *
   * @param label as it stands in the corpus; null where it is missing; several between bars, none
   *     where it is empty or missing
   * @param rowKey names the row in the error
   * @throws StillhouseException if it is none of the classes or not a finite number; or missing,
   *     where a row has one label
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

package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import java.io.Serializable;
import java.util.Comparator;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Rows that a command cannot use, by reason.
 *
 * @param kinds the rows of each reason, such as {@code empty}
 */
public record InvalidRows(Map<String, Kind> kinds) implements Serializable {
  /** The reason of a row whose text has no tokens. */
  public static final String EMPTY = "empty";

  /** The reason of a row that has no label, although one is needed. */
  public static final String NO_LABEL = "no label";

  /** The reason of a row with tokens that has no targets. */
  public static final String NOT_FINITE = "the teacher's output is not finite";

  public static final InvalidRows NONE = new InvalidRows(Map.of());

  private static final int KINDS_SHOWN = 3;
  private static final int LONGEST_KEY = 80;

  /** Orders the keys of the rows of a file by their numbers. */
  private static final Comparator<String> EARLIER =
      Comparator.comparingInt(String::length).thenComparing(Comparator.naturalOrder());

  /**
   * The rows of one reason.
   *
   * @param rows their number
   * @param example the key of one of them: the first in its file
   */
  public record Kind(long rows, String example) implements Serializable {
    private Kind plus(Kind other) {
      return new Kind(
          rows + other.rows,
          EARLIER.compare(example, other.example) <= 0 ? example : other.example);
    }
  }

  public InvalidRows {
    kinds = Map.copyOf(kinds);
  }

  /** Returns rows of one reason. */
  public static InvalidRows of(String reason, long rows, String example) {
    return new InvalidRows(Map.of(reason, new Kind(rows, example)));
  }

  /** Counts the invalid rows of a partition. */
  public static InvalidRows of(Iterator<InputRow> rows) {
    Map<String, Kind> kinds = new TreeMap<>();
    while (rows.hasNext()) {
      InputRow row = rows.next();
      if (row.status() != null) {
        kinds.merge(row.status(), new Kind(1, row.id()), Kind::plus);
      }
    }
    return kinds.isEmpty() ? NONE : new InvalidRows(kinds);
  }

  /** Returns these and other rows. */
  public InvalidRows plus(InvalidRows other) {
    Map<String, Kind> all = new TreeMap<>(kinds);
    other.kinds.forEach((reason, kind) -> all.merge(reason, kind, Kind::plus));
    return new InvalidRows(all);
  }

  /** Returns the rows of other reasons. */
  public InvalidRows without(String reason) {
    Map<String, Kind> others = new TreeMap<>(kinds);
    others.remove(reason);
    return new InvalidRows(others);
  }

  /** Returns the number of rows. */
  public long count() {
    return kinds.values().stream().mapToLong(Kind::rows).sum();
  }

  /** Returns the number of rows of each reason. */
  public Map<String, Long> counts() {
    Map<String, Long> counts = new TreeMap<>();
    kinds.forEach((reason, kind) -> counts.put(reason, kind.rows()));
    return counts;
  }

  /** Returns the reasons, the most frequent first, each with its number of rows and an example. */
  public String inWords() {
    String shown =
        kinds.entrySet().stream()
            .sorted(
                Comparator.comparingLong((Map.Entry<String, Kind> each) -> -each.getValue().rows())
                    .thenComparing(Map.Entry::getKey))
            .limit(KINDS_SHOWN)
            .map(
                each ->
                    format(
                        "%s (%,d, such as row '%s')",
                        each.getKey(),
                        each.getValue().rows(),
                        shortened(each.getValue().example())))
            .collect(Collectors.joining(", "));
    return kinds.size() <= KINDS_SHOWN
        ? shown
        : format("%s, and %d other reasons", shown, kinds.size() - KINDS_SHOWN);
  }

  private static String shortened(String key) {
    return key.length() <= LONGEST_KEY ? key : "..." + key.substring(key.length() - LONGEST_KEY);
  }
}

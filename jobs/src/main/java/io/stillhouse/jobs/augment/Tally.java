package io.stillhouse.jobs.augment;

import java.io.Serializable;
import java.util.Map;
import java.util.TreeMap;

/**
 * What was made of rows.
 *
 * @param rows that were read
 * @param leftOut rows without copies, by reason
 * @param written rows of the larger corpus
 * @param duplicates copies that were dropped
 * @param words of all copies, dropped ones among them
 * @param replaced those of them that another stands for
 * @param computed words that the masked LM was asked for
 */
record Tally(
    long rows,
    Map<String, Long> leftOut,
    long written,
    long duplicates,
    long words,
    long replaced,
    long computed)
    implements Serializable {
  static final Tally NOTHING = new Tally(0, Map.of(), 0, 0, 0, 0, 0);

  static Tally leftOut(String reason) {
    return new Tally(1, Map.of(reason, 1L), 0, 0, 0, 0, 0);
  }

  Tally plus(Tally more) {
    TreeMap<String, Long> reasons = new TreeMap<>(leftOut);
    more.leftOut.forEach((reason, count) -> reasons.merge(reason, count, Long::sum));
    return new Tally(
        rows + more.rows,
        reasons,
        written + more.written,
        duplicates + more.duplicates,
        words + more.words,
        replaced + more.replaced,
        computed + more.computed);
  }

  double replacedShare() {
    return words == 0 ? 0 : (double) replaced / words;
  }
}

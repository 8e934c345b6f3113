package io.stillhouse.jobs.augment;

import java.io.Serializable;
import java.util.Map;
import java.util.TreeMap;

/**
 * The numbers of rows and words that an augmentation has read and written.
 *
 * @param read rows of the corpus
 * @param leftOut rows without copies, by reason
 * @param written rows of the larger corpus
 * @param duplicates copies that were dropped
 * @param words words of all copies, including dropped ones
 * @param replaced number of those words that were replaced
 * @param maskedWords words for which the masked LM was evaluated
 */
record RowCounts(
    long read,
    Map<String, Long> leftOut,
    long written,
    long duplicates,
    long words,
    long replaced,
    long maskedWords)
    implements Serializable {
  static final RowCounts NONE = new RowCounts(0, Map.of(), 0, 0, 0, 0, 0);

  /** Returns the counts of one row that has no copies. */
  static RowCounts leftOut(String reason) {
    return new RowCounts(1, Map.of(reason, 1L), 0, 0, 0, 0, 0);
  }

  RowCounts plus(RowCounts more) {
    TreeMap<String, Long> reasons = new TreeMap<>(leftOut);
    more.leftOut.forEach((reason, count) -> reasons.merge(reason, count, Long::sum));
    return new RowCounts(
        read + more.read,
        reasons,
        written + more.written,
        duplicates + more.duplicates,
        words + more.words,
        replaced + more.replaced,
        maskedWords + more.maskedWords);
  }

  /** Returns the number of rows without copies. */
  long leftOutRows() {
    return leftOut.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Returns the share of words that were replaced, or 0 if there are no words. */
  double replacedShare() {
    return words == 0 ? 0 : (double) replaced / words;
  }
}

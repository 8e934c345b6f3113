package io.stillhouse.jobs.augment;

import io.stillhouse.jobs.corpus.InvalidRows;
import java.io.Serializable;
import java.util.Map;

/**
 * The numbers of rows and words that an augmentation has read and written.
 *
 * @param read rows of the corpus
 * @param invalid rows without copies
 * @param written rows of the larger corpus
 * @param duplicates copies that were dropped
 * @param words words of all copies, including dropped ones
 * @param replaced number of those words that were replaced
 * @param maskedWords words for which the masked LM was evaluated
 */
record RowCounts(
    long read,
    InvalidRows invalid,
    long written,
    long duplicates,
    long words,
    long replaced,
    long maskedWords)
    implements Serializable {
  static final RowCounts NONE = new RowCounts(0, InvalidRows.NONE, 0, 0, 0, 0, 0);

  /** Returns the counts of one row that has no copies. */
  static RowCounts leftOut(String reason, String key) {
    return new RowCounts(1, InvalidRows.of(reason, 1, key), 0, 0, 0, 0, 0);
  }

  RowCounts plus(RowCounts more) {
    return new RowCounts(
        read + more.read,
        invalid.plus(more.invalid),
        written + more.written,
        duplicates + more.duplicates,
        words + more.words,
        replaced + more.replaced,
        maskedWords + more.maskedWords);
  }

  /** Returns the number of rows without copies, by reason. */
  Map<String, Long> leftOut() {
    return invalid.counts();
  }

  /** Returns the number of rows without copies. */
  long leftOutRows() {
    return invalid.count();
  }

  /** Returns the share of words that were replaced, or 0 if there are no words. */
  double replacedShare() {
    return words == 0 ? 0 : (double) replaced / words;
  }
}

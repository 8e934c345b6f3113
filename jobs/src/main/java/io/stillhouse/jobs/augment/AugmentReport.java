package io.stillhouse.jobs.augment;

import java.util.Map;

/**
 * The content of {@code _augment.json}.
 *
 * @param settings every setting in force
 * @param rowsIn rows of the corpus
 * @param leftOut rows without copies, by reason
 * @param rowsOut rows of the larger corpus
 * @param duplicates copies that were dropped because they equal their row or an earlier copy
 * @param replacedShare share of the copies' words that were replaced, including dropped copies
 * @param maskedWords words for which the masked LM was evaluated
 */
record AugmentReport(
    Map<String, String> settings,
    long rowsIn,
    Map<String, Long> leftOut,
    long rowsOut,
    long duplicates,
    double replacedShare,
    long maskedWords) {

  static AugmentReport of(Map<String, String> settings, RowCounts counts) {
    return new AugmentReport(
        settings,
        counts.read(),
        counts.leftOut(),
        counts.written(),
        counts.duplicates(),
        counts.replacedShare(),
        counts.maskedWords());
  }
}

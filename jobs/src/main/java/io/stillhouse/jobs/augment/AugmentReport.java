package io.stillhouse.jobs.augment;

import java.util.Map;

/**
 * What {@code _augment.json} says.
 *
 * @param settings every value in force
 * @param rowsIn rows that were read
 * @param leftOut those that have no copies, by reason
 * @param rowsOut rows of the larger corpus
 * @param duplicates copies that were dropped, equal to their row or to an earlier copy
 * @param replacedShare share of the copies' words that another stands for, dropped copies counted
 * @param maskedWords words that the masked LM was asked for
 */
record AugmentReport(
    Map<String, String> settings,
    long rowsIn,
    Map<String, Long> leftOut,
    long rowsOut,
    long duplicates,
    double replacedShare,
    long maskedWords) {

  static AugmentReport of(Map<String, String> settings, Tally tally) {
    return new AugmentReport(
        settings,
        tally.rows(),
        tally.leftOut(),
        tally.written(),
        tally.duplicates(),
        tally.replacedShare(),
        tally.computed());
  }
}

package io.stillhouse.codec;

import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.util.List;

/**
 * The denominators of the terms' means. The mean over a micro-batch is weighted by its share of the
 * step's counts, so a step's gradient is that of its full batch.
 *
 * @param rows number of rows
 * @param tokens number of real tokens
 * @param pairs number of pairs of real tokens, over all rows
 * @param masked number of masked tokens
 * @param labelled number of rows with a label
 */
public record Counts(long rows, long tokens, long pairs, long masked, long labelled) {

  /** Returns the counts of some rows. */
  public static Counts of(List<Example> examples) {
    long tokens = 0;
    long pairs = 0;
    long masked = 0;
    long labelled = 0;
    for (Example example : examples) {
      tokens += example.length();
      pairs += (long) example.length() * example.length();
      labelled += example.inputs().labelled() ? 1 : 0;
      int[] labels = example.inputs().mlmLabels();
      if (labels != null) {
        for (int label : labels) {
          masked += label == TargetSource.IGNORED ? 0 : 1;
        }
      }
    }
    return new Counts(examples.size(), tokens, pairs, masked, labelled);
  }

  /** Returns the sum of these counts and others. */
  public Counts plus(Counts more) {
    return new Counts(
        rows + more.rows,
        tokens + more.tokens,
        pairs + more.pairs,
        masked + more.masked,
        labelled + more.labelled);
  }
}

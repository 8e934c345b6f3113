package io.stillhouse.codec;

import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.util.List;

/**
 * What each term's mean is taken over. A step's gradient is that of its full batch: each
 * micro-batch's mean counts by its share.
 *
 * @param rows rows
 * @param tokens real tokens
 * @param pairs pairs of real tokens, over all rows
 * @param masked masked tokens
 */
public record Counts(long rows, long tokens, long pairs, long masked) {

  /** Counts rows of targets. */
  public static Counts of(List<Example> examples) {
    long tokens = 0;
    long pairs = 0;
    long masked = 0;
    for (Example example : examples) {
      tokens += example.length();
      pairs += (long) example.length() * example.length();
      int[] labels = example.inputs().mlmLabels();
      if (labels != null) {
        for (int label : labels) {
          masked += label == TargetSource.IGNORED ? 0 : 1;
        }
      }
    }
    return new Counts(examples.size(), tokens, pairs, masked);
  }

  /** Returns the counts of both. */
  public Counts plus(Counts more) {
    return new Counts(
        rows + more.rows, tokens + more.tokens, pairs + more.pairs, masked + more.masked);
  }
}

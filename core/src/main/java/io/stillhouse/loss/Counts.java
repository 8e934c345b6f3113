package io.stillhouse.loss;

import io.stillhouse.spec.DistillSpec;
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

  /** Returns the share of {@code whole} that this part has in a term's mean. */
  double share(Term term, Counts whole, boolean maskedLm, DistillSpec.Positions positions) {
    return switch (term) {
      case SOFT_LABEL ->
          !maskedLm
              ? (double) rows / whole.rows
              : positions == DistillSpec.Positions.ALL
                  ? (double) tokens / whole.tokens
                  : masked == 0 ? 0 : (double) masked / whole.masked;
      case HARD_LABEL ->
          maskedLm ? masked == 0 ? 0 : (double) masked / whole.masked : (double) rows / whole.rows;
      case HIDDEN_COSINE,
          HIDDEN_MSE,
          EMBEDDING_MSE,
          ATTENTION_KL,
          QUERY_RELATION,
          KEY_RELATION,
          VALUE_RELATION ->
          (double) tokens / whole.tokens;
      case FIRST_TOKEN_MSE -> (double) rows / whole.rows;
      case ATTENTION_MSE -> (double) pairs / whole.pairs;
    };
  }
}

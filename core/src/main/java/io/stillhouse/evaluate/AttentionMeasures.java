package io.stillhouse.evaluate;

/**
 * What one attention head does, as means over its queries: how widely it spreads its attention
 * (Clark et al. 2019, arXiv:1906.04341, section 3.3), how far it looks (Vig and Belinkov 2019,
 * arXiv:1906.04284, section 4), and how much of its attention goes to the query itself and to the
 * special tokens. Sums of queries can be added, so rows may be measured in any order.
 *
 * @param queries number of queries
 * @param entropy entropies of the distributions over keys, in nats, summed over queries; each is in
 *     [0, ln L]
 * @param relativeEntropy entropies divided by ln L, each in [0, 1]; a row of a single token counts
 *     as 0
 * @param distance mean distances between query and key in tokens, weighted by the attention
 * @param self weights of the query's own position
 * @param special weights of the special tokens, such as [CLS] and [SEP]
 */
public record AttentionMeasures(
    long queries,
    double entropy,
    double relativeEntropy,
    double distance,
    double self,
    double special) {
  /** No queries. */
  public static final AttentionMeasures NONE = new AttentionMeasures(0, 0, 0, 0, 0, 0);

  /**
   * Returns the sums over the queries of one row.
   *
   * @param weightsLL attention weights of one head, shape (L, L), row-major; each query's sum to 1
   * @param specialL whether a token is special, shape (L)
   */
  public static AttentionMeasures of(double[] weightsLL, boolean[] specialL) {
    int length = specialL.length;
    if (weightsLL.length != length * length) {
      throw new IllegalArgumentException(
          weightsLL.length + " weights are not those of " + length + " tokens");
    }
    double entropy = 0;
    double distance = 0;
    double self = 0;
    double special = 0;
    for (int query = 0; query < length; query++) {
      for (int key = 0; key < length; key++) {
        double weight = weightsLL[query * length + key];
        entropy -= weight > 0 ? weight * Math.log(weight) : 0;
        distance += weight * Math.abs(query - key);
        self += query == key ? weight : 0;
        special += specialL[key] ? weight : 0;
      }
    }
    double largest = Math.log(length);
    return new AttentionMeasures(
        length, entropy, largest > 0 ? entropy / largest : 0, distance, self, special);
  }

  /**
   * Returns the attention weights of scores.
   *
   * @param scoresLL scores after 1/sqrt(d), before softmax, of real tokens only
   * @param from index of the head's first score
   * @param length number of tokens, L
   * @return shape (L, L), row-major
   */
  public static double[] weights(float[] scoresLL, int from, int length) {
    double[] weightsLL = new double[length * length];
    for (int query = 0; query < length; query++) {
      double largest = Double.NEGATIVE_INFINITY;
      for (int key = 0; key < length; key++) {
        largest = Math.max(largest, scoresLL[from + query * length + key]);
      }
      double sum = 0;
      for (int key = 0; key < length; key++) {
        double power = Math.exp(scoresLL[from + query * length + key] - largest);
        weightsLL[query * length + key] = power;
        sum += power;
      }
      for (int key = 0; key < length; key++) {
        weightsLL[query * length + key] /= sum;
      }
    }
    return weightsLL;
  }

  /** Returns the sums over the queries of both. */
  public AttentionMeasures plus(AttentionMeasures other) {
    return new AttentionMeasures(
        queries + other.queries,
        entropy + other.entropy,
        relativeEntropy + other.relativeEntropy,
        distance + other.distance,
        self + other.self,
        special + other.special);
  }

  /** Returns the means over the queries, as the measures of a single query; NaN without queries. */
  public AttentionMeasures mean() {
    return new AttentionMeasures(
        1,
        entropy / queries,
        relativeEntropy / queries,
        distance / queries,
        self / queries,
        special / queries);
  }
}

package io.stillhouse.spec;

/** What an encoder is, among those whose blocks compute as BERT's do. */
public enum Architecture {
  /** BERT (arXiv:1810.04805). */
  BERT,
  /**
   * DistilBERT (arXiv:1910.01108, section 3): no segment embeddings, so that the texts of a pair
   * are told apart by {@code [SEP]} alone; a ReLU in the classifier's pooler, where BERT has tanh.
   * LayerNorm's epsilon is 1e-12.
   */
  DISTILBERT,
  /**
   * ALBERT (arXiv:1909.11942, section 3.1): all blocks share one set of weights, and the embedding
   * tables may be narrower than hidden states, which a linear mapping makes of them.
   */
  ALBERT;

  /** DistilBERT's, which its configuration cannot change. */
  public static final double DISTILBERT_EPS = 1e-12;

  /** Returns whether there is a table of segment embeddings. */
  public boolean hasSegments() {
    return this != DISTILBERT;
  }

  /** Returns whether all blocks have the first one's weights. */
  public boolean sharesBlocks() {
    return this == ALBERT;
  }

  /** Returns whether embeddings are mapped to the width of hidden states. */
  public boolean mapsEmbeddings() {
    return this == ALBERT;
  }
}

package io.stillhouse.spec;

/** The architecture of an encoder. All architectures compute the same blocks as BERT. */
public enum Architecture {
  /** BERT (arXiv:1810.04805). */
  BERT,
  /**
   * DistilBERT (arXiv:1910.01108, section 3): no segment embeddings, so that only {@code [SEP]}
   * separates the texts of a pair; the classifier's pooler is a ReLU instead of tanh; LayerNorm's
   * epsilon is 1e-12.
   */
  DISTILBERT,
  /**
   * ALBERT (arXiv:1909.11942, section 3.1): all blocks share one set of weights, and the embedding
   * tables may be narrower than hidden states, to which a linear layer maps them.
   */
  ALBERT;

  /** LayerNorm's epsilon in DistilBERT, which its configuration cannot change. */
  public static final double DISTILBERT_EPS = 1e-12;

  /** Returns whether there is a table of segment embeddings. */
  public boolean hasSegments() {
    return this != DISTILBERT;
  }

  /** Returns whether all blocks share the weights of the first. */
  public boolean sharesBlocks() {
    return this == ALBERT;
  }

  /** Returns whether embeddings are mapped to the width of hidden states. */
  public boolean mapsEmbeddings() {
    return this == ALBERT;
  }
}

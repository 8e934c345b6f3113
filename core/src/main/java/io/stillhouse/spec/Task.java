package io.stillhouse.spec;

/** The task of a head. */
public enum Task {
  /** No head: the encoder alone ({@code BertModel}). */
  NONE,
  /** One distribution over the vocabulary per token ({@code BertForMaskedLM}). */
  MASKED_LM,
  /** One distribution over classes per sequence ({@code BertForSequenceClassification}). */
  CLASSIFICATION,
  /** One number per sequence ({@code BertForSequenceClassification} with one label). */
  REGRESSION,
  /**
   * Any number of labels per sequence, each true or false ({@code BertForSequenceClassification}
   * with {@code problem_type} multi_label_classification).
   */
  MULTI_LABEL;

  /** Returns whether the head reads the pooled first token. */
  public boolean pooled() {
    return this == CLASSIFICATION || this == REGRESSION || this == MULTI_LABEL;
  }
}

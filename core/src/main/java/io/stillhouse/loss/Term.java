package io.stillhouse.loss;

import io.stillhouse.codec.Counts;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.DistillSpec;
import java.util.Locale;

/** The terms of a distillation loss. */
public enum Term {
  SOFT_LABEL,
  HARD_LABEL,
  HIDDEN_COSINE,
  HIDDEN_MSE,
  EMBEDDING_MSE,
  FIRST_TOKEN_MSE,
  ATTENTION_MSE,
  ATTENTION_KL,
  QUERY_RELATION,
  KEY_RELATION,
  VALUE_RELATION;

  /** Returns the term that compares relations of queries, keys or values. */
  static Term relation(AttentionPart part) {
    return switch (part) {
      case QUERY -> QUERY_RELATION;
      case KEY -> KEY_RELATION;
      case VALUE -> VALUE_RELATION;
    };
  }

  /** Returns the name in recipes, progress lines and JSON, such as {@code soft-label}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * Returns the share of a micro-batch in this term's mean over a step, in 0..1.
   *
   * @param part counts of a micro-batch
   * @param step counts of a step
   * @param maskedLm whether soft and hard labels are those of tokens
   * @param positions tokens that have soft labels, for a masked LM
   */
  double share(Counts part, Counts step, boolean maskedLm, DistillSpec.Positions positions) {
    return switch (this) {
      case SOFT_LABEL ->
          !maskedLm
              ? (double) part.rows() / step.rows()
              : positions == DistillSpec.Positions.ALL
                  ? (double) part.tokens() / step.tokens()
                  : part.masked() == 0 ? 0 : (double) part.masked() / step.masked();
      case HARD_LABEL ->
          maskedLm
              ? part.masked() == 0 ? 0 : (double) part.masked() / step.masked()
              : part.labelled() == 0 ? 0 : (double) part.labelled() / step.labelled();
      case HIDDEN_COSINE,
          HIDDEN_MSE,
          EMBEDDING_MSE,
          ATTENTION_KL,
          QUERY_RELATION,
          KEY_RELATION,
          VALUE_RELATION ->
          (double) part.tokens() / step.tokens();
      case FIRST_TOKEN_MSE -> (double) part.rows() / step.rows();
      case ATTENTION_MSE -> (double) part.pairs() / step.pairs();
    };
  }
}

package io.stillhouse.loss;

import io.stillhouse.spec.AttentionPart;
import java.util.Locale;

/** The terms a distillation loss may have. */
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

  /** Returns the term on the relations of queries, keys or values. */
  static Term relation(AttentionPart part) {
    return switch (part) {
      case QUERY -> QUERY_RELATION;
      case KEY -> KEY_RELATION;
      case VALUE -> VALUE_RELATION;
    };
  }

  /** Returns the name used in recipes, progress lines and JSON. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}

package io.stillhouse.loss;

import java.util.Locale;

/** The terms a distillation loss may have. */
public enum Term {
  SOFT_LABEL,
  HARD_LABEL,
  HIDDEN_COSINE,
  HIDDEN_MSE,
  EMBEDDING_MSE,
  ATTENTION_MSE;

  /** Returns the name used in recipes, progress lines and JSON. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}

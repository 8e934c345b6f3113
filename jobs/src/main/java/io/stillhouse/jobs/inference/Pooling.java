package io.stillhouse.jobs.inference;

import java.util.Locale;

/** How the last hidden states of a row become one vector. */
public enum Pooling {
  /** The state of the first token, [CLS]. */
  CLS,
  /** The mean over the real tokens, special tokens included, as in sentence-transformers. */
  MEAN;

  /** Returns the pooling that a setting names, {@code cls} or {@code mean}. */
  public static Pooling of(String id) {
    return valueOf(id.toUpperCase(Locale.ROOT));
  }

  /** Divides a vector by its Euclidean length, in place; a zero vector stays as it is. */
  public static void normalize(float[] vector) {
    double squares = 0;
    for (float value : vector) {
      squares += (double) value * value;
    }
    if (squares == 0) {
      return;
    }
    double length = Math.sqrt(squares);
    for (int n = 0; n < vector.length; n++) {
      vector[n] = (float) (vector[n] / length);
    }
  }
}

package io.stillhouse.spec;

import java.util.Locale;

/** The vectors that a block's attention makes of each token. */
public enum AttentionPart {
  QUERY,
  KEY,
  VALUE;

  /** Returns the name of the layer that makes them. */
  public String layer(int block) {
    return ModelSpec.blockPrefix(block) + "attention.self." + name().toLowerCase(Locale.ROOT);
  }
}

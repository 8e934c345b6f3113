package io.stillhouse.spec;

import java.util.Locale;

/** The vectors that attention computes for each token. */
public enum AttentionPart {
  QUERY,
  KEY,
  VALUE;

  /**
   * Returns the name of the layer that computes them.
   *
   * @param prefix the prefix of the block's names: {@link EncoderSpec#prefixOf}
   */
  public String layer(String prefix) {
    return prefix + "attention.self." + name().toLowerCase(Locale.ROOT);
  }
}

package io.stillhouse.spec;

import java.util.Locale;

/** The vectors that a block's attention makes of each token. */
public enum AttentionPart {
  QUERY,
  KEY,
  VALUE;

  /**
   * Returns the name of the layer that makes them.
   *
   * @param prefix of the block's names: {@link EncoderSpec#prefixOf}
   */
  public String layer(String prefix) {
    return prefix + "attention.self." + name().toLowerCase(Locale.ROOT);
  }
}

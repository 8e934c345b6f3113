package io.stillhouse.target;

import java.util.Locale;

/**
 * A group of columns that share a file. Each shard has one file per family, with the same rows in
 * the same order.
 */
public enum Family {
  /** Text, token ids and labels. */
  INPUTS,
  /** Task logits, one vector per row. */
  LOGITS,
  /** Hidden states, one column per layer. */
  HIDDEN,
  /** Raw attention scores, one column per block. */
  ATTENTION;

  /** Returns the name used in paths, manifests and recipes. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }
}

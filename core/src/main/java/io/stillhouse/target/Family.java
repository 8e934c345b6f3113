package io.stillhouse.target;

import java.util.Locale;

/**
 * The groups of columns that share a file. For each shard there is one file per family, row-aligned
 * with the others.
 */
public enum Family {
  /** Text, token ids, labels: what the teacher read. */
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

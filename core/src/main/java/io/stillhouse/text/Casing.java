package io.stillhouse.text;

/** Whether a tokenizer keeps upper case and accents. */
public enum Casing {
  /** TargetStorage. */
  CASED,
  /** Text is lower-cased and stripped of accents first. */
  UNCASED
}

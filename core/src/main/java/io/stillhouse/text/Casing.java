package io.stillhouse.text;

/** Whether a tokenizer keeps upper case and accents. */
public enum Casing {
  /** Upper case and accents are kept. */
  CASED,
  /** Text is lower-cased, and accents are stripped. */
  UNCASED
}

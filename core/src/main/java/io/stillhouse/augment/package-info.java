/**
 * Augments text. {@code WordReplacement} replaces words with candidates that a masked LM or word
 * vectors suggest (TinyBERT); {@code RuleAugmentation} masks words, swaps words of the same part of
 * speech and keeps n-grams (Tang et al.). The code is independent of Spark and of the models that
 * suggest candidates.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.augment;

/**
 * Writes a larger corpus: copies of each row with words replaced by a masked LM, or changed by
 * rules. What a row becomes depends on the recipe, its key and its text (by rules also on all words
 * of the corpus), never on where it is computed, so any cluster writes the same files.
 */
package io.stillhouse.jobs.augment;

/**
 * Writes a larger corpus: copies of each row with words replaced by a masked LM, or changed by
 * rules. What a row becomes depends on the recipe and its key alone, so any cluster writes the same
 * files.
 */
package io.stillhouse.jobs.augment;

/**
 * Implements the {@code augment} command, which writes a larger corpus with copies of each row.
 * Words are replaced by predictions of a masked LM, or texts are changed by rules. The copies of a
 * row depend only on the recipe, its key and its text, and for rules on the word counts of the
 * corpus, so every cluster writes the same files. {@code AugmentJob} runs on the driver; {@code
 * AugmentTask} and the augmenters run on executors.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.augment;

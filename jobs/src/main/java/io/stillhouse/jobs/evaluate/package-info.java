/**
 * The commands {@code evaluate} and {@code logits}. {@code evaluate} compares a teacher and its
 * students on rows that they were not trained on, and measures their size and speed. For reports
 * and notebooks, {@code StudentComparison} compares models row by row and layer by layer.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.evaluate;

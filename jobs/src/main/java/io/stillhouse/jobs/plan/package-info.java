/**
 * The command {@code plan}: a probe on the user's own text and machines, and what a recipe is
 * foretold to cost. The probe runs the cache and the training themselves on a sample, in a
 * directory of its own; {@link io.stillhouse.jobs.plan.Economics} holds the formulas.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.plan;

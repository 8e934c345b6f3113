/**
 * The command {@code plan}: a probe on the user's own text and machines, and the predicted cost of
 * a recipe.
 *
 * <p>The probe runs the real cache and training jobs on a sample, in a scratch directory. {@link
 * io.stillhouse.jobs.plan.Forecast} puts its measurements into the formulas of {@link
 * io.stillhouse.jobs.plan.Economics}.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.plan;

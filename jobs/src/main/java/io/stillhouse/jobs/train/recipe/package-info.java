/**
 * Turns recipes into student runs, on the driver. {@link
 * io.stillhouse.jobs.train.recipe.TrainingCache} opens what students share, {@link
 * io.stillhouse.jobs.train.recipe.StudentRuns} checks a recipe against it and determines where each
 * student starts and which teachers it has, and {@link io.stillhouse.jobs.train.recipe.Stage} does
 * so for a recipe of several stages. Nothing is written.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train.recipe;

/**
 * Trains students from a cache. {@link io.stillhouse.jobs.train.TrainJob} checks a recipe against
 * its cache and trains the student and its baseline; {@link
 * io.stillhouse.jobs.train.StagedTraining} runs the jobs of several stages one after another.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train;

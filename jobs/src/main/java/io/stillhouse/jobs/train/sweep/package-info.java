/**
 * Trains many students from one cache. {@link io.stillhouse.jobs.train.sweep.SweepJob} groups the
 * students that read the same rows into tasks; successive halving stops the worse ones early, and
 * students that differ only in their seed are summarized as means with standard errors.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train.sweep;

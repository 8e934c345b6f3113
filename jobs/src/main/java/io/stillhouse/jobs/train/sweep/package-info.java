/** Trains many students from one cache, with successive halving and groups of seeds. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train.sweep;

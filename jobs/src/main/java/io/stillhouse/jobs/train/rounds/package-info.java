/** Trains one student with several logical workers in rounds. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.train.rounds;

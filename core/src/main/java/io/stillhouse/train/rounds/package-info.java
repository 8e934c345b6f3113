/**
 * Trains a student in rounds on several workers (DiLoCo). Each worker takes steps from the round's
 * weights and delivers the difference; the driver averages the differences and takes an outer step.
 * The arithmetic of the outer step is plain Java, so it gives the same bits on every machine.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.train.rounds;

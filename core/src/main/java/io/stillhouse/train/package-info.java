/**
 * Trains students from cached targets. {@code Trainer} trains one student, {@code Lockstep} several
 * on one thread; both run their steps through {@code StepRunner}. A run depends only on its spec
 * and the order of the rows, so it can resume from any checkpoint and end with the same bits. The
 * package also initializes weights ({@code StudentInit}, {@code BiLstmInit}), prunes heads and
 * measures students on validation rows.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.train;

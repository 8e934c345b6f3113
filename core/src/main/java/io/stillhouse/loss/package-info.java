/**
 * One small pure function per loss term: no weights, no state. {@link
 * io.stillhouse.loss.DistillLoss} alone weighs and adds them. Every mean is over real tokens;
 * padding never counts.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.loss;

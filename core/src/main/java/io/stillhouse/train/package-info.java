/**
 * Trains one student from cached targets. A run is a function of its spec, the data's order and the
 * step: it can stop at any checkpoint and go on to the same bits.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.train;

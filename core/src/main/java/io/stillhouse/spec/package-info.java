/**
 * Models, losses and trainings as immutable values without tensors: for example the shape of an
 * encoder, or the layer map between a student and its teacher. Hidden states are numbered 0..L,
 * where 0 is the embedding output, and blocks 1..L.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.spec;

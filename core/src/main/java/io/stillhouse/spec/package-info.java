/**
 * What a model and a distillation are, as immutable values without tensors: the shape of an
 * encoder, the layer map between a student and its teacher. One numbering everywhere: hidden states
 * 0..L, where 0 is the embedding output; blocks 1..L, whose scores are attention 1..L.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.spec;

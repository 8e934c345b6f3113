/**
 * What the rest of the code sees of a model: batches, outputs, and models that predict or train.
 * Tensors carry their shape in their names: B rows, L tokens, D hidden width, H heads, K head
 * width, V vocabulary, C classes, N chosen tokens; in a BiLSTM, S texts, H units of one direction,
 * E both directions.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.model;

/**
 * The interfaces of models: batches, outputs, and models that predict or train. The names of
 * tensors end in their shape: B rows, L tokens, D hidden width, H heads, K width of a head, V
 * vocabulary, C classes, N selected tokens; in a BiLSTM, S texts, H units of one direction, E = 2H.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.model;

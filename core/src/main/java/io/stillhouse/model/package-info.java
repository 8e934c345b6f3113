/**
 * The encoder, with the semantics of Hugging Face's BERT, DistilBERT and ALBERT, in plain NDArray
 * calls; teacher and student are the same code under another {@link io.stillhouse.spec.EncoderSpec}.
 * A student may be a BiLSTM, too. Tensors carry their shape in their names: B rows, L tokens, D
 * hidden width, H heads, K head width, V vocabulary, C classes, N chosen tokens; of a BiLSTM S
 * texts, H units of one direction, E both.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.model;

/**
 * The encoder, with the semantics of Hugging Face's BERT, DistilBERT and ALBERT: one for training,
 * one for inference.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.model.encoder;

/**
 * Converts text and labels into the inputs of an encoder. A {@code Tokenizer} encodes a row once, a
 * {@code Segmenter} cuts the encoding into pieces that fit the model, and a {@code Pairing} adds
 * the special tokens. {@code Masking} masks tokens for masked-LM training, and {@code LabelCodec}
 * reads labels. {@code TextFile} reads the configs and vocabularies of models. Results depend only
 * on the arguments, so every machine produces the same ids.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.text;

/**
 * From text to what an encoder reads. A tokenizer encodes a whole row once; a segmenter cuts the
 * encoding into pieces that fit a model without losing text; a pairing adds the special tokens.
 * Masking for masked-LM training and the codec of labels are here too. All of it is a pure function
 * of its arguments, so any machine gives the same ids.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.text;

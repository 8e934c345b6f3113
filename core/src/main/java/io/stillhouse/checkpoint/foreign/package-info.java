/**
 * Imports BERT encoders in other formats: TensorFlow checkpoints, ONNX files, and archives that
 * contain them. {@code Importer} is the only entry point; it writes a Hugging Face directory or
 * nothing.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.checkpoint.foreign;

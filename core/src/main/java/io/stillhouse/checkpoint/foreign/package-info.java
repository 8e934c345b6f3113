/** Imports models in other formats: TensorFlow checkpoints, ONNX graphs, and archives of them. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.checkpoint.foreign;

/**
 * Inference with a model in any of its forms: our own weights, ONNX (float32 or int8) and
 * TorchScript. {@code ModelLocation} names a model, {@code LoadedModels} opens it once per executor
 * JVM, and {@code InferenceModel} computes rows of token ids. Jobs that apply a model to a table
 * depend on this package only, not on the runtime of a form.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.inference;

/**
 * Writes models as ONNX files, without Python. A {@link io.stillhouse.export.onnx.Graph} is built
 * from a model's spec: {@link io.stillhouse.export.onnx.EncoderGraph} adds the operators of an
 * encoder, and {@link io.stillhouse.export.onnx.Layers} determines how weights are stored. {@link
 * io.stillhouse.export.onnx.OnnxFile} then writes it, one weight at a time.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.export.onnx;

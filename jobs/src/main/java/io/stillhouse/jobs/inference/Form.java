package io.stillhouse.jobs.inference;

import java.util.Locale;

/** The form in which a model is stored. */
public enum Form {
  /** The weights of a Hugging Face directory or a student, which libtorch computes. */
  WEIGHTS,
  /** An ONNX graph in float32, which ONNX Runtime computes. */
  ONNX,
  /** An ONNX graph with dynamic int8 quantization, which ONNX Runtime computes. */
  ONNX_INT8,
  /** A TorchScript module, which libtorch computes. */
  TORCHSCRIPT;

  /** Returns the name in messages and records, such as {@code onnx-int8}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}

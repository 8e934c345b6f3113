package io.stillhouse.spec;

import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** A format in which a student is exported, and its file in the exported directory. */
public enum ExportFormat {
  /** The weights that {@code from_pretrained} loads; for a BiLSTM, a PyTorch state dict. */
  HUGGINGFACE("model.safetensors"),
  /** A float32 graph, where transformers.js and Optimum look for it. */
  ONNX("onnx/model.onnx"),
  /** A graph with int8 weights and dynamically quantized activations. */
  ONNX_INT8("onnx/model_quantized.onnx"),
  /** A module for {@code torch.jit.load} and DJL, with DJL's {@code serving.properties}. */
  TORCHSCRIPT("model.pt"),
  /** A float32 graph without the operators that pnnx and other converters for phones lack. */
  NCNN("ncnn/model.onnx");

  /** The names of all formats, as recipes write them. */
  public static final List<String> IDS = Stream.of(values()).map(ExportFormat::id).toList();

  private final String file;

  ExportFormat(String file) {
    this.file = file;
  }

  /** Returns the name of the format in recipes, such as {@code onnx-int8}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Returns the path of the model in the exported directory. */
  public String file() {
    return file;
  }

  /**
   * Returns the format with an id.
   *
   * @throws IllegalArgumentException if there is none
   */
  public static ExportFormat of(String id) {
    return Stream.of(values())
        .filter(format -> format.id().equals(id))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException(id));
  }
}

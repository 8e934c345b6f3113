package io.stillhouse.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ExportFormatTest {
  @Test
  void idsAreWordsOfRecipes() {
    assertThat(ExportFormat.IDS)
        .containsExactly("huggingface", "onnx", "onnx-int8", "torchscript", "ncnn");
    for (ExportFormat each : ExportFormat.values()) {
      assertThat(ExportFormat.of(each.id())).isEqualTo(each);
    }
  }

  @Test
  void rejectsUnknownId() {
    assertThatThrownBy(() -> ExportFormat.of("tflite"))
        .isInstanceOf(IllegalArgumentException.class);
  }
}

package io.stillhouse.jobs.inference;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ModelLocationTest {
  @Test
  void readsDirectoryAsWeights() {
    assertThat(ModelLocation.parse("hdfs://nodes/students/tiny"))
        .isEqualTo(
            new ModelLocation(
                "hdfs://nodes/students/tiny", "hdfs://nodes/students/tiny", Form.WEIGHTS));
  }

  @Test
  void takesDirectoryAboveOnnxFolder() {
    assertThat(ModelLocation.parse("hdfs://nodes/tiny/onnx/model.onnx"))
        .isEqualTo(
            new ModelLocation("hdfs://nodes/tiny/onnx/model.onnx", "hdfs://nodes/tiny", Form.ONNX));
    assertThat(ModelLocation.parse("onnx/model.onnx").directory()).isEqualTo(".");
  }

  @Test
  void takesDirectoryOfFileThatIsInNoOnnxFolder() {
    assertThat(ModelLocation.parse("/tiny/small.onnx").directory()).isEqualTo("/tiny");
    assertThat(ModelLocation.parse("small.onnx").directory()).isEqualTo(".");
  }

  @Test
  void recognizesInt8GraphByItsName() {
    assertThat(ModelLocation.parse("/tiny/onnx/model_quantized.onnx").form())
        .isEqualTo(Form.ONNX_INT8);
    assertThat(ModelLocation.parse("/tiny/onnx/model_int8.onnx").form()).isEqualTo(Form.ONNX_INT8);
  }

  @Test
  void readsPtFileAsTorchScript() {
    assertThat(ModelLocation.parse("/tiny/model.pt"))
        .isEqualTo(new ModelLocation("/tiny/model.pt", "/tiny", Form.TORCHSCRIPT));
  }
}

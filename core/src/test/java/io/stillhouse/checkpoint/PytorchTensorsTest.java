package io.stillhouse.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.Golden;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PytorchTensorsTest {
  private static final Path PICKLES = Golden.DIRECTORY.resolve("pickles-v1");

  @ParameterizedTest
  @ValueSource(strings = {"zip.bin", "legacy.bin"})
  void valuesAreThoseOfPyTorch(String name) throws IOException {
    TensorFile pickle = TensorFile.open(PICKLES.resolve(name));
    SafeTensors values = SafeTensors.open(PICKLES.resolve("values.safetensors"));

    assertThat(pickle.names()).containsExactlyInAnyOrderElementsOf(values.names());
    for (String tensor : values.names()) {
      assertThat(pickle.shape(tensor)).as(tensor).isEqualTo(values.shape(tensor));
      if (!tensor.equals("int64")) {
        assertThat(pickle.float32(tensor)).as(tensor).isEqualTo(values.float32(tensor));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"zip.bin", "legacy.bin"})
  void integersAreNoWeights(String name) throws IOException {
    TensorFile pickle = TensorFile.open(PICKLES.resolve(name));

    assertThatThrownBy(() -> pickle.float32("int64"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "tensor 'int64' of '%s' has dtype I64; weights must be F32, F16, BF16 or F64",
            PICKLES.resolve(name));
  }
}

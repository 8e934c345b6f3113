package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorBundleTest {
  @TempDir Path directory;

  @Test
  void readsNamesShapesAndNumbers() throws IOException {
    Map<String, LazyTensor> written =
        Map.of(
            "module/a", TinyModel.tensor("a", 2, 3),
            "module/b/c", TinyModel.tensor("c", 5),
            "scalar", TinyModel.tensor("scalar"));
    Path index = BundleWriter.write(directory.resolve("variables"), written);

    Map<String, LazyTensor> read = TensorBundle.read(index);

    assertThat(read.keySet()).containsExactly("module/a", "module/b/c", "scalar");
    assertThat(read.get("module/a").shape()).isEqualTo(new Shape(2, 3));
    assertThat(read.get("scalar").shape()).isEqualTo(new Shape());
    for (String name : written.keySet()) {
      assertThat(TinyModel.floats(read.get(name)))
          .containsExactly(TinyModel.floats(written.get(name)));
    }
  }

  @Test
  void transposesMatrices() throws IOException {
    LazyTensor matrix = TinyModel.tensor("m", 70, 33);

    LazyTensor transposed = matrix.transposed();

    float[] from = TinyModel.floats(matrix);
    float[] to = TinyModel.floats(transposed);
    assertThat(transposed.shape()).isEqualTo(new Shape(33, 70));
    for (int i = 0; i < 70; i++) {
      for (int j = 0; j < 33; j++) {
        assertThat(to[j * 70 + i]).isEqualTo(from[i * 33 + j]);
      }
    }
  }

  @Test
  void rejectsTruncatedData() throws IOException {
    Path index =
        BundleWriter.write(directory.resolve("variables"), Map.of("w", TinyModel.tensor("w", 4)));
    Path data = directory.resolve("variables.data-00000-of-00001");
    Files.write(data, Arrays.copyOf(Files.readAllBytes(data), 12));

    assertThatThrownBy(() -> TensorBundle.read(index))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' is not a complete TensorFlow checkpoint: variable 'w' of shape (4) spans"
                    + " bytes 0 to 16 of 12; copy or download it again",
                data));
  }

  @Test
  void rejectsChecksumMismatch() throws IOException {
    Path index =
        BundleWriter.write(directory.resolve("variables"), Map.of("w", TinyModel.tensor("w", 4)));
    Path data = directory.resolve("variables.data-00000-of-00001");
    byte[] bytes = Files.readAllBytes(data);
    bytes[5] ^= 1;
    Files.write(data, bytes);

    assertThatThrownBy(() -> TensorBundle.read(index).get("w").bytes().read())
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' is not a complete TensorFlow checkpoint: variable 'w' does not match its"
                    + " checksum; copy or download it again",
                data));
  }

  @Test
  void rejectsMalformedIndex() throws IOException {
    Path index = Files.write(directory.resolve("x.index"), new byte[100]);

    assertThatThrownBy(() -> TensorBundle.read(index))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(format("'%s' is not a complete TensorFlow checkpoint: ", index));
  }
}

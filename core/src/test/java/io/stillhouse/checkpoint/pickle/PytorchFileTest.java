package io.stillhouse.checkpoint.pickle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.Golden;
import io.stillhouse.error.StillhouseException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PytorchFileTest {
  private static final Path PICKLES = Golden.DIRECTORY.resolve("pickles-v1");

  /** The key and value of a tensor w of shape [2] and stride 2, in a storage of 4 numbers. */
  private static final String TENSOR =
      "X\1\0\0\0wctorch._utils\n_rebuild_tensor\n((X\7\0\0\0storagectorch\nFloatStorage\n"
          + "X\1\0\0\0000X\3\0\0\0cpuJ\4\0\0\0NtQK\0K\2\u0085J\2\0\0\0\u0085tR";

  @TempDir Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"zip.bin", "legacy.bin"})
  void readsNamesDtypesAndShapes(String name) throws IOException {
    PytorchFile file = PytorchFile.open(PICKLES.resolve(name));

    assertThat(file.names())
        .containsExactly(
            "float32",
            "float16",
            "bfloat16",
            "float64",
            "int64",
            "transposed",
            "row",
            "shared",
            "scalar",
            "empty",
            "parameter");
    assertThat(file.dtype("bfloat16")).isEqualTo("BF16");
    assertThat(file.dtype("int64")).isEqualTo("I64");
    assertThat(file.shape("transposed")).containsExactly(5, 3);
    assertThat(file.shape("scalar")).isEmpty();
  }

  @Test
  void readsStateDictWithMetadata() throws IOException {
    PytorchFile file = PytorchFile.open(PICKLES.resolve("metadata.bin"));

    assertThat(file.names())
        .containsExactly("weight", "bias", "running_mean", "running_var", "num_batches_tracked");
    assertThat(file.bytes("weight").asFloatBuffer().get(1)).isEqualTo(1f);
  }

  @ParameterizedTest
  @CsvSource({"evil.bin, posix.getcwd", "evil-zip.bin, posix.getcwd"})
  void rejectsPickleThatCallsAnythingElse(String name, String function) {
    assertThatThrownBy(() -> PytorchFile.open(PICKLES.resolve(name)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' is a pickle that contains %s, but only tensors are read from pickles; save the"
                + " weights alone, with safetensors or torch.save(model.state_dict())",
            PICKLES.resolve(name), function);
  }

  @ParameterizedTest
  @ValueSource(strings = {"os system", "builtins eval", "torch.storage _load_from_bytes"})
  void rejectsOtherFunctionsByName(String function) throws IOException {
    Path file = file("c" + function.replace(' ', '\n') + "\n)R.");

    assertThatThrownBy(() -> PytorchFile.open(file))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("contains " + function.replace(' ', '.'));
  }

  @Test
  void rejectsDictionaryWithoutTensors() {
    assertThatThrownBy(() -> PytorchFile.open(PICKLES.resolve("no-tensors.bin")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "is not a complete PyTorch checkpoint: its dictionary has no tensors");
  }

  @Test
  void namesEntryThatContainsTensors() throws IOException {
    Path file = legacy("}(X\u0005\0\0\0epochK\u0003X\n\0\0\0state_dict}" + TENSOR + "su.", 4);

    assertThatThrownBy(() -> PytorchFile.open(file))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' is a checkpoint with other entries, and its weights are in its entry"
                + " 'state_dict'; save that entry alone: torch.save(checkpoint['state_dict'],"
                + " path)",
            file);
  }

  @Test
  void rejectsViewThatSpansMoreThanCanBeMapped() throws IOException {
    String wide = TENSOR.replace("J\4\0\0\0", "J\1\0\0 ").replace("J\2\0\0\0", "J\0\0\0 ");
    PytorchFile file = PytorchFile.open(legacy("}" + wide + "s.", (1 << 29) + 1));

    assertThatThrownBy(() -> file.bytes("w"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "tensor 'w' of '%s' is a view that spans 536,870,913 numbers of its storage, but"
                + " tensors may span 536,870,911; save a copy of it: tensor.clone()",
            directory.resolve("legacy.bin"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"zip.bin", "legacy.bin"})
  void rejectsFileThatIsCutOffAnywhere(String name) throws IOException {
    byte[] whole = Files.readAllBytes(PICKLES.resolve(name));
    for (int length = 0; length < whole.length - 1; length++) {
      Path file = Files.write(directory.resolve("cut.bin"), Arrays.copyOf(whole, length));

      assertThatThrownBy(() -> PytorchFile.open(file))
          .isInstanceOf(StillhouseException.class)
          .hasMessageContaining("is not a complete PyTorch checkpoint: ");
    }
  }

  @Test
  void rejectsLengthThatFileDoesNotHave() throws IOException {
    Path file = file("X\u00ff\u00ff\u00ff\u007fshort");

    assertThatThrownBy(() -> PytorchFile.open(file))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("a value of 2147483647 bytes does not fit");
  }

  @Test
  void rejectsEmptyTensorBeyondItsStorage() throws PickleException {
    Storage four = new Storage(Dtype.F32, "0", 4);
    long[] empty = {0};

    assertThat(PickledTensor.of(four, 4, empty, new long[] {1}).extent()).isZero();
    assertThatThrownBy(() -> PickledTensor.of(four, 5, empty, new long[] {1}))
        .isInstanceOf(PickleException.class)
        .hasMessageContaining("reaches beyond its storage of 4 numbers");
  }

  @Test
  void rejectsStrideWhoseEndIsNoLong() {
    Storage four = new Storage(Dtype.F32, "0", 4);

    assertThatThrownBy(() -> PickledTensor.of(four, 0, new long[] {2}, new long[] {Long.MAX_VALUE}))
        .isInstanceOf(PickleException.class)
        .hasMessageContaining("reaches beyond its storage of 4 numbers");
  }

  @Test
  void rejectsListThatIsPassedToCallAfterCall() throws IOException {
    String pairs = "](" + "K\u0001K\u0001\u0086".repeat(100) + "eq\u0001";
    Path file = file(pairs + "ccollections\nOrderedDict\nh\u0001\u0085R0".repeat(30) + ".");

    assertThatThrownBy(() -> PytorchFile.open(file))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("its calls copy more values than it has bytes");
  }

  /** Writes a file of PyTorch before 1.6 with one storage of float32 zeros. */
  private Path legacy(String pickle, int numbers) throws IOException {
    String text =
        "\u0080\2\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\31." // the magic number
            + "\u0080\2M\u00e9\3." // the version
            + "\u0080\2}."
            + ("\u0080\2" + pickle)
            + "\u0080\2]X\1\0\0\0"
            + "0a.";
    ByteBuffer count = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, numbers);
    Path path = directory.resolve("legacy.bin");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.write(text.getBytes(StandardCharsets.ISO_8859_1));
      file.write(count.array());
      file.setLength(file.length() + 4L * numbers);
    }
    return path;
  }

  /** Writes a pickle whose bytes are the characters of a text. */
  private Path file(String pickle) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(("\u0080\u0002" + pickle).getBytes(StandardCharsets.ISO_8859_1));
    return Files.write(directory.resolve("x.bin"), bytes.toByteArray());
  }
}

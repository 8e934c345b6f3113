package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.torch.Float16;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafeTensorsTest {
  @TempDir Path directory;

  @Test
  void readsBackWhatItWrote() throws IOException {
    Path file = directory.resolve("x.safetensors");
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      Map<String, NDArray> tensors = new LinkedHashMap<>();
      tensors.put("b", manager.create(new float[] {1, 2, 3, 4, 5, 6}, new Shape(2, 3)));
      tensors.put("a", manager.create(-0.5f));
      tensors.put("empty", manager.create(new float[0], new Shape(0, 4)));

      SafeTensors.write(file, tensors, Map.of("format", "pt", "step", "7"));

      SafeTensors read = SafeTensors.open(file);
      assertThat(read.names()).containsExactly("b", "a", "empty");
      assertThat(read.metadata()).isEqualTo(Map.of("format", "pt", "step", "7"));
      assertThat(read.shape("b")).isEqualTo(new Shape(2, 3));
      assertThat(read.shape("empty")).isEqualTo(new Shape(0, 4));
      assertThat(read.read("b", manager).contentEquals(tensors.get("b"))).isTrue();
      assertThat(read.read("a", manager).getFloat()).isEqualTo(-0.5f);
      assertThat(TinyModel.floats(read, "b")).containsExactly(1, 2, 3, 4, 5, 6);
    }
  }

  @Test
  void writesViewInRowOrder() throws IOException {
    Path file = directory.resolve("x.safetensors");
    try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      NDArray matrix = manager.create(new float[] {1, 2, 3, 4, 5, 6}, new Shape(2, 3));

      SafeTensors.write(file, Map.of("t", matrix.transpose()), Map.of());

      assertThat(TinyModel.floats(SafeTensors.open(file), "t")).containsExactly(1, 4, 2, 5, 3, 6);
    }
  }

  @Test
  void alignsTensorsToEightBytes() throws IOException {
    for (int length = 1; length <= 8; length++) {
      Path file = directory.resolve(length + ".safetensors");
      SafeTensors.writeLazily(file, Map.of("n".repeat(length), TinyModel.tensor("n", 3)), Map.of());

      long header =
          ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).getLong();
      assertThat(header % 8).isZero();
    }
  }

  @Test
  void convertsFloat16Bfloat16AndFloat64() throws IOException {
    ByteBuffer data = ByteBuffer.allocate(26).order(ByteOrder.LITTLE_ENDIAN);
    // 1, -2, 65504, the smallest subnormal, infinity
    for (int half : new int[] {0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00}) {
      data.putShort((short) half);
    }
    data.putShort((short) 0x3f80).putShort((short) 0xc049).putShort((short) 0x0000);
    data.putShort((short) 0).putDouble(0.1);
    Path file =
        handmade(
            """
            {"h":{"dtype":"F16","shape":[5],"data_offsets":[0,10]},
             "b":{"dtype":"BF16","shape":[3],"data_offsets":[10,16]},
             "d":{"dtype":"F64","shape":[1],"data_offsets":[18,26]}}\
            """,
            data.array());

    SafeTensors read = SafeTensors.open(file);

    assertThat(TinyModel.floats(read, "h"))
        .containsExactly(1f, -2f, 65504f, 0x1p-24f, Float.POSITIVE_INFINITY);
    assertThat(TinyModel.floats(read, "b")).containsExactly(1f, -3.140625f, 0f);
    assertThat(TinyModel.floats(read, "d")).containsExactly(0.1f);
  }

  @Test
  void readsEveryFloat16Value() {
    for (int bits = 0; bits < 0x10000; bits++) {
      int exponent = bits >> 10 & 0x1f;
      int fraction = bits & 0x3ff;
      double size =
          exponent == 0 ? fraction * 0x1p-24 : (1024 + fraction) * Math.pow(2, exponent - 25);
      if (exponent < 0x1f) {
        assertThat(Float16.toFloat((short) bits)).isEqualTo((float) (bits < 0x8000 ? size : -size));
      }
    }
    assertThat(Float16.toFloat((short) 0x7e00)).isNaN();
  }

  @Test
  void rejectsTruncatedFile() throws IOException {
    Path file = directory.resolve("x.safetensors");
    SafeTensors.writeLazily(file, Map.of("weight", TinyModel.tensor("weight", 4, 4)), Map.of());
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length - 10));

    assertThatThrownBy(() -> SafeTensors.open(file))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' is not a complete safetensors file: tensor 'weight' ends at byte %d of %d;"
                    + " copy or download it again",
                file, whole.length, whole.length - 10));
  }

  @Test
  void rejectsFileThatIsNotSafetensors() throws IOException {
    Path file = directory.resolve("x.safetensors");
    Files.writeString(file, "version https://git-lfs");

    assertThatThrownBy(() -> SafeTensors.open(file))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' is not a complete safetensors file: a header of 2336927755350992246 bytes"
                    + " does not fit in its 23 bytes; copy or download it again",
                file));
  }

  @Test
  void rejectsFileShorterThanLengthOfHeader() throws IOException {
    Path file = Files.write(directory.resolve("x.safetensors"), new byte[5]);

    assertThatThrownBy(() -> SafeTensors.open(file))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' is not a complete safetensors file: it has 5 bytes, and the length of its header"
                + " alone has 8; copy or download it again",
            file);
  }

  @Test
  void rejectsHeaderOfAnotherKind() throws IOException {
    Path file = handmade("{\"x\":{\"dtype\":\"F32\",\"shape\":\"all\"}}", new byte[0]);

    assertThatThrownBy(() -> SafeTensors.open(file))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' is not a complete safetensors file: its header is not the JSON of a"
                    + " safetensors file; copy or download it again",
                file));
  }

  @Test
  void rejectsTensorWhoseSizeDoesNotMatchItsShape() throws IOException {
    Path file =
        handmade("{\"x\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", new byte[8]);

    assertThatThrownBy(() -> SafeTensors.open(file))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' is not a complete safetensors file: tensor 'x' of shape (3) and dtype F32 has"
                    + " 8 bytes, not 12; copy or download it again",
                file));
  }

  private Path handmade(String header, byte[] data) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + json.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(json.length).put(json).put(data);
    return Files.write(directory.resolve("handmade.safetensors"), bytes.array());
  }
}

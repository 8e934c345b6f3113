package io.stillhouse.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** An encoder with a few thousand weights, which are computed from the tensors' names. */
public final class TinyModel {
  public static final List<String> VOCAB =
      List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "play", "##ing", "ok");

  private TinyModel() {}

  public static EncoderSpec spec(int width, int heads, Head head) {
    return new EncoderSpec(
        new EncoderSpec.Embeddings(VOCAB.size(), 6, 2, 0),
        new EncoderSpec.Blocks(2, width, heads, 2 * width),
        new EncoderSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
        head);
  }

  /**
   * Returns a model of an architecture; an ALBERT's tables are half as wide as its hidden states.
   */
  public static EncoderSpec spec(Architecture architecture, Head head) {
    return new EncoderSpec(
        architecture,
        architecture.mapsEmbeddings() ? 2 : 4,
        new EncoderSpec.Embeddings(VOCAB.size(), 6, architecture.hasSegments() ? 2 : 0, 0),
        new EncoderSpec.Blocks(2, 4, 2, 8),
        new EncoderSpec.Numerics(1e-12, 0.1, 0.2, 0.3),
        head);
  }

  public static Map<String, LazyTensor> weights(EncoderSpec spec) {
    Map<String, LazyTensor> weights = new LinkedHashMap<>();
    spec.parameters().forEach((name, shape) -> weights.put(name, tensor(name, shape)));
    return weights;
  }

  public static LazyTensor tensor(String name, long... shape) {
    float[] values = new float[(int) new Shape(shape).size()];
    Random random = new Random(name.hashCode());
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return new LazyTensor(new Shape(shape), () -> bytes(values));
  }

  public static ByteBuffer bytes(float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes;
  }

  /** Writes a directory that opens. */
  public static Path write(Path directory, EncoderSpec spec, Map<String, LazyTensor> weights)
      throws IOException {
    HuggingFaceDirectory.writeLazily(directory, spec, weights);
    Files.write(directory.resolve("vocab.txt"), VOCAB);
    return directory;
  }

  /** Writes a model with random weights. */
  public static Path write(Path directory, EncoderSpec spec) throws IOException {
    return write(directory, spec, weights(spec));
  }

  /** Changes a model's config.json. */
  public static void edit(Path directory, String from, String to) throws IOException {
    Path config = directory.resolve("config.json");
    String text = Files.readString(config);
    assertThat(text).contains(from);
    Files.writeString(config, text.replace(from, to));
  }

  /** Changes the dtype of a float32 tensor in a model's header to int32. */
  public static void makeInteger(Path directory, String tensor) throws IOException {
    Path file = directory.resolve("model.safetensors");
    String bytes = Files.readString(file, StandardCharsets.ISO_8859_1); // keeps every byte
    String entry = "\"" + tensor + "\":{\"dtype\":\"";
    assertThat(bytes).contains(entry + "F32");
    Files.writeString(
        file, bytes.replace(entry + "F32", entry + "I32"), StandardCharsets.ISO_8859_1);
  }

  public static float[] floats(LazyTensor tensor) throws IOException {
    float[] values = new float[(int) tensor.shape().size()];
    tensor.bytes().read().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  public static float[] floats(SafeTensors file, String name) throws IOException {
    float[] values = new float[(int) file.shape(name).size()];
    file.floats(name).get(values);
    return values;
  }
}

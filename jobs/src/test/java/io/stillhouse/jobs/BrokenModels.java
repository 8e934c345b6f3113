package io.stillhouse.jobs;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.train.StudentInit;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.commons.io.FileUtils;

/** Copies of tiny models that fit a recipe in part only. */
public final class BrokenModels {
  private BrokenModels() {}

  /** Copies a model and sets one number of a tensor. */
  public static Path with(Path model, String tensor, int index, float number, Path to)
      throws IOException {
    FileUtils.copyDirectory(model.toFile(), to.toFile());
    Path weights = to.resolve("model.safetensors");
    ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(weights)).order(ByteOrder.LITTLE_ENDIAN);
    int header = (int) file.getLong(0);
    JsonObject tensors =
        JsonParser.parseString(new String(file.array(), 8, header, StandardCharsets.UTF_8))
            .getAsJsonObject();
    int start = tensors.getAsJsonObject(tensor).getAsJsonArray("data_offsets").get(0).getAsInt();
    file.putFloat(8 + header + start + 4 * index, number);
    Files.write(weights, file.array());
    return to;
  }

  /** Copies a model whose outputs are not finite for every row. */
  public static Path dead(Path model, String tensor, Path to) throws IOException {
    return with(model, tensor, 0, Float.NaN, to);
  }

  /** Copies a model whose outputs are not finite for rows with a word. */
  public static Path deadFor(Path model, String word, Path to) throws IOException {
    int token = Files.readAllLines(model.resolve("vocab.txt")).indexOf(word);
    return with(model, EncoderSpec.WORDS, token * Tiny.WIDTH, Float.POSITIVE_INFINITY, to);
  }

  /** Writes a model with the shape and the weights of another, but with one segment. */
  public static Path withOneSegment(Path model, Path to) throws IOException {
    EncoderSpec spec = HuggingFaceDirectory.open(model).spec();
    EncoderSpec.Embeddings tables = spec.embeddings();
    return write(
        model,
        new EncoderSpec(
            new EncoderSpec.Embeddings(
                tables.vocabSize(), tables.maxPositions(), 1, tables.padTokenId()),
            spec.blocks(),
            spec.numerics(),
            spec.head()),
        to);
  }

  /** Writes a model with the shape and the tokens of another, but with fewer positions. */
  public static Path withPositions(Path model, int positions, Path to) throws IOException {
    EncoderSpec spec = HuggingFaceDirectory.open(model).spec();
    EncoderSpec.Embeddings tables = spec.embeddings();
    return write(
        model,
        new EncoderSpec(
            new EncoderSpec.Embeddings(
                tables.vocabSize(), positions, tables.typeVocabSize(), tables.padTokenId()),
            spec.blocks(),
            spec.numerics(),
            spec.head()),
        to);
  }

  /** Writes a model with the shape and the tokens of another, but with another head. */
  public static Path withHead(Path model, Head head, Path to) throws IOException {
    return write(model, HuggingFaceDirectory.open(model).spec().withHead(head), to);
  }

  private static Path write(Path like, EncoderSpec spec, Path to) throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      Map<String, NDArray> weights = new HashMap<>(StudentInit.random(manager, spec, 1));
      HuggingFaceDirectory.write(to, spec, weights, like);
    }
    return to;
  }
}

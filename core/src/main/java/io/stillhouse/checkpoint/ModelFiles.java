package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonElement;
import io.stillhouse.error.Errors;
import io.stillhouse.text.TextFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The files of a model's directory: its config, weights and tokenizer. Whatever else is in the
 * directory does not belong to the model.
 */
public final class ModelFiles {
  static final String CONFIG = "config.json";
  static final String WEIGHTS = "model.safetensors";
  static final String INDEX = "model.safetensors.index.json";
  static final String PYTORCH_WEIGHTS = "pytorch_model.bin";
  static final String PYTORCH_INDEX = "pytorch_model.bin.index.json";
  private static final Pattern PLAIN = Pattern.compile("[^/\\\\\\p{Cntrl}]{1,255}");

  private ModelFiles() {}

  /**
   * Returns a file that another file of the model names, which must be in the same directory.
   *
   * @param namedIn the file that contains the name
   * @param name a plain file name
   * @throws io.stillhouse.error.StillhouseException if the name is a path, or cannot be one
   */
  public static Path beside(Path namedIn, String name) {
    if (!PLAIN.matcher(name).matches() || name.equals(".") || name.equals("..")) {
      throw Errors.invalid(
          format(
              "'%s' names the file '%s', but only plain names of files in the same directory are"
                  + " allowed",
              namedIn, Errors.shortened(name)),
          "move the file there and correct the name, or do not use this model");
    }
    try {
      return namedIn.resolveSibling(name);
    } catch (InvalidPathException e) {
      throw Errors.invalid(
          format(
              "'%s' names the file '%s', which has a character that file names cannot have in the"
                  + " locale of this system",
              namedIn, Errors.shortened(name)),
          "set LC_ALL=C.UTF-8, or rename the file",
          e);
    }
  }

  /** Returns whether a directory has weights that {@link HuggingFaceDirectory} reads. */
  public static boolean hasWeights(Path directory) {
    return Stream.of(WEIGHTS, INDEX, PYTORCH_WEIGHTS, PYTORCH_INDEX)
        .anyMatch(name -> Files.isRegularFile(directory.resolve(name)));
  }

  /**
   * The weight files of a directory.
   *
   * @param index the file that lists the shards, or null if there is a single file
   */
  record Weights(@Nullable Path index, List<Path> files) {}

  /**
   * Returns the weight files: safetensors if there are any, else PyTorch's pickles.
   *
   * @throws io.stillhouse.error.StillhouseException if there are no weights, or an index is damaged
   */
  static Weights weights(Path directory) throws IOException {
    for (List<String> names :
        List.of(List.of(WEIGHTS, INDEX), List.of(PYTORCH_WEIGHTS, PYTORCH_INDEX))) {
      Path single = directory.resolve(names.get(0));
      if (Files.exists(single)) {
        return new Weights(null, List.of(single));
      }
      Path index = directory.resolve(names.get(1));
      if (Files.exists(index)) {
        return new Weights(index, shards(index));
      }
    }
    throw Errors.invalid(
        format(
            "'%s' has no weights: neither %s nor %s, nor shards with an index",
            directory, WEIGHTS, PYTORCH_WEIGHTS),
        format("copy the weights next to %s, or use import for other formats", CONFIG));
  }

  /**
   * Returns the files of weights.
   *
   * @throws io.stillhouse.error.StillhouseException if there are none
   */
  public static List<Path> weightFiles(Path directory) throws IOException {
    return weights(directory).files();
  }

  private static List<Path> shards(Path index) throws IOException {
    JsonElement map = TextFile.json(index).get("weight_map");
    if (map == null || !map.isJsonObject() || map.getAsJsonObject().isEmpty()) {
      throw Errors.invalid(format("'%s' has no weight_map", index), "copy it again");
    }
    Set<Path> shards = new LinkedHashSet<>();
    for (Map.Entry<String, JsonElement> entry : map.getAsJsonObject().entrySet()) {
      if (!entry.getValue().isJsonPrimitive()) {
        throw Errors.invalid(
            format(
                "'%s' gives no file name for tensor '%s'", index, Errors.shortened(entry.getKey())),
            "copy it again");
      }
      shards.add(beside(index, entry.getValue().getAsString()));
    }
    return List.copyOf(shards);
  }

  /**
   * Returns the files of a model that exist, all directly in its directory.
   *
   * @throws io.stillhouse.error.StillhouseException if there are no weights
   */
  public static List<Path> all(Path directory) throws IOException {
    List<Path> files = new ArrayList<>();
    files.add(directory.resolve(CONFIG));
    files.addAll(tokenizer(directory));
    Weights weights = weights(directory);
    if (weights.index() != null) {
      files.add(weights.index());
    }
    files.addAll(weights.files());
    return files;
  }

  /** Returns the config, if it exists. */
  public static List<Path> config(Path directory) {
    return Stream.of(directory.resolve(CONFIG)).filter(Files::exists).toList();
  }

  /** Returns the tokenizer files that exist. */
  public static List<Path> tokenizer(Path directory) {
    return BertTokenizerFiles.SOURCES.stream()
        .map(directory::resolve)
        .filter(Files::exists)
        .toList();
  }
}

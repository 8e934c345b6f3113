package io.stillhouse.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A Hugging Face directory: {@code config.json}, weights in one or several safetensors files,
 * {@code vocab.txt} or {@code tokenizer.json}. {@link #open} checks everything that can be checked
 * from the headers, so a wrong directory is rejected before anything is computed or written.
 */
public final class HuggingFaceDirectory implements ModelDirectory {
  static final String CONFIG = "config.json";
  static final String WEIGHTS = "model.safetensors";
  static final List<String> TOKENIZER_FILES =
      List.of("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json");
  private static final String INDEX = "model.safetensors.index.json";
  private static final String DECODER = "cls.predictions.decoder.weight";

  /** Embedding tables may be padded to a multiple of 8 with fewer rows than this. */
  private static final int MAX_PADDING_ROWS = 64;

  private final Path path;
  private final EncoderSpec spec;
  private final Map<String, Place> places;

  /** The file of a tensor, and its name in that file. */
  private record Place(SafeTensors file, String storedName) {
    ParameterCheck.Found found() {
      return new ParameterCheck.Found(file.shape(storedName), storedName, file.file());
    }
  }

  private HuggingFaceDirectory(Path path, EncoderSpec spec, Map<String, Place> places) {
    this.path = path;
    this.spec = spec;
    this.places = places;
  }

  /**
   * Opens a directory and checks the config, the names and shapes of the tensors, and the size of
   * the vocabulary.
   *
   * @throws io.stillhouse.error.StillhouseException if the model type or activation is not
   *     supported, or if tensors are missing, unknown or of the wrong shape; the message lists all
   *     of them
   */
  public static HuggingFaceDirectory open(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      throw Errors.noSuchPath("model directory", path);
    }
    HuggingFaceConfig.Read config = HuggingFaceConfig.read(path.resolve(CONFIG));
    Map<String, Place> places = places(path, TensorNames.of(config.spec().architecture()));
    EncoderSpec spec = config.specFor(places.keySet());
    Map<String, ParameterCheck.Found> found = new LinkedHashMap<>();
    places.forEach((name, place) -> found.put(name, place.found()));
    ParameterCheck.require(path, spec, found);
    requireVocabulary(path, spec);
    return new HuggingFaceDirectory(path, spec, places);
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public EncoderSpec spec() {
    return spec;
  }

  /** Returns whether there is a tensor with this name, as in {@link EncoderSpec#parameters()}. */
  public boolean has(String name) {
    return places.containsKey(name);
  }

  @Override
  public Map<String, NDArray> weights(NDManager manager) {
    return weights(manager, spec.parameters().keySet());
  }

  /** Reads only the named tensors. */
  public Map<String, NDArray> weights(NDManager manager, Collection<String> names) {
    Map<String, NDArray> weights = new LinkedHashMap<>();
    for (String name : names) {
      Place place = places.get(name);
      if (place == null) {
        throw new IllegalStateException("'%s' has no tensor %s".formatted(path, name));
      }
      weights.put(name, place.file().read(place.storedName(), manager));
    }
    requireTiedDecoder(manager, weights);
    return weights;
  }

  /**
   * Writes a directory that {@code from_pretrained} loads. Weights that the spec does not list,
   * such as the pooler of a masked LM, are also written.
   *
   * @param directory created if necessary; the caller renames it into place
   * @param weights weights by name, as in {@link EncoderSpec#parameters()}
   * @param tokenizerSource a directory whose tokenizer files are copied, or null
   */
  public static void write(
      Path directory,
      EncoderSpec spec,
      Map<String, NDArray> weights,
      @Nullable Path tokenizerSource)
      throws IOException {
    ModelDirectory.write(directory, spec, weights, tokenizerSource);
  }

  /** Writes config and weights, holding one tensor in memory at a time. */
  public static void writeLazily(Path directory, EncoderSpec spec, Map<String, LazyTensor> weights)
      throws IOException {
    Files.createDirectories(directory);
    HuggingFaceConfig.write(directory.resolve(CONFIG), spec);
    TensorNames stored = TensorNames.of(spec.architecture());
    Map<String, LazyTensor> named = new LinkedHashMap<>();
    Set<String> names = new LinkedHashSet<>(spec.parameters().keySet());
    names.addAll(weights.keySet());
    for (String name : names) {
      LazyTensor weight = weights.get(name);
      if (weight == null) {
        throw new IllegalStateException("no weight " + name);
      }
      boolean bare = spec.head().task() == Task.NONE;
      named.put(bare ? stored.storedBare(name) : stored.stored(name), weight);
    }
    SafeTensors.writeLazily(directory.resolve(WEIGHTS), named, Map.of("format", "pt"));
  }

  @Override
  public void copyTo(Path directory) throws IOException {
    copy(path, directory);
  }

  static void copy(Path path, Path directory) throws IOException {
    Files.createDirectories(directory);
    List<Path> files = new ArrayList<>(weightFiles(path));
    files.add(path.resolve(CONFIG));
    Stream.concat(TOKENIZER_FILES.stream(), Stream.of(INDEX))
        .map(path::resolve)
        .filter(Files::exists)
        .forEach(files::add);
    for (Path file : files) {
      Files.copy(file, directory.resolve(path.relativize(file).toString()));
    }
  }

  private static Map<String, Place> places(Path path, TensorNames names) throws IOException {
    Map<String, Place> places = new LinkedHashMap<>();
    for (Path file : weightFiles(path)) {
      SafeTensors tensors = SafeTensors.open(file);
      for (String stored : tensors.names()) {
        String name = names.canonical(stored);
        // A tied tensor may be stored under two names; prefer the one of the parameter.
        if (stored.equals(names.stored(name)) || !places.containsKey(name)) {
          places.put(name, new Place(tensors, stored));
        }
      }
    }
    return places;
  }

  private static List<Path> weightFiles(Path path) throws IOException {
    if (Files.exists(path.resolve(WEIGHTS))) {
      return List.of(path.resolve(WEIGHTS));
    }
    Path index = path.resolve(INDEX);
    if (!Files.exists(index)) {
      throw Errors.invalid(
          "'%s' has neither %s nor %s".formatted(path, WEIGHTS, INDEX),
          "save the model with safe_serialization=True, or use import");
    }
    JsonElement map = JsonFile.read(index).get("weight_map");
    if (map == null || !map.isJsonObject()) {
      throw Errors.invalid("'%s' has no weight_map".formatted(index), "copy it again");
    }
    return map.getAsJsonObject().entrySet().stream()
        .map(Map.Entry::getValue)
        .map(JsonElement::getAsString)
        .distinct()
        .map(path::resolve)
        .toList();
  }

  private void requireTiedDecoder(NDManager manager, Map<String, NDArray> weights) {
    NDArray words = weights.get(EncoderSpec.WORDS);
    if (spec.head().task() != Task.MASKED_LM || words == null || !has(DECODER)) {
      return;
    }
    try (NDArray decoder = weights(manager, List.of(DECODER)).get(DECODER)) {
      if (!words.contentEquals(decoder)) {
        throw Errors.invalid(
            "'%s' has a masked-LM decoder that is not tied to its word embeddings".formatted(path),
            "use a model with tie_word_embeddings");
      }
    }
  }

  static void requireVocabulary(Path path, ModelSpec spec) throws IOException {
    int rows = spec.vocabSize();
    Path vocab = path.resolve("vocab.txt");
    Path json = path.resolve("tokenizer.json");
    if (!Files.exists(vocab) && !Files.exists(json)) {
      throw Errors.invalid(
          "'%s' has neither vocab.txt nor tokenizer.json".formatted(path),
          "copy the model's tokenizer next to its weights");
    }
    if (Files.exists(vocab)) {
      requireVocabulary(vocab, Files.readAllLines(vocab).size(), rows);
    }
    if (Files.exists(json)) {
      requireVocabulary(json, tokensOf(json), rows);
    }
  }

  private static void requireVocabulary(Path file, int tokens, int rows) {
    boolean padded = rows % 8 == 0 && rows - tokens < MAX_PADDING_ROWS;
    if (tokens > rows || (tokens < rows && !padded)) {
      throw Errors.invalid(
          "'%s' has %d tokens, but the word embeddings have %d rows (vocab_size in config.json)"
              .formatted(file, tokens, rows),
          "use the vocabulary that the model was trained with");
    }
  }

  private static int tokensOf(Path tokenizerJson) throws IOException {
    JsonObject json = JsonFile.read(tokenizerJson);
    try {
      int tokens = json.getAsJsonObject("model").getAsJsonObject("vocab").size();
      if (json.has("added_tokens")) {
        for (JsonElement added : json.getAsJsonArray("added_tokens")) {
          tokens = Math.max(tokens, added.getAsJsonObject().get("id").getAsInt() + 1);
        }
      }
      return tokens;
    } catch (ClassCastException | IllegalStateException | NullPointerException e) {
      throw Errors.invalid(
          "'%s' is not the tokenizer of a BERT model".formatted(tokenizerJson),
          "copy the one that belongs to the weights",
          e);
    }
  }
}

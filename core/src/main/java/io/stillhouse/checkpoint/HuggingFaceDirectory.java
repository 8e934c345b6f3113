package io.stillhouse.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
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
 * {@code vocab.txt} or {@code tokenizer.json}. {@link #open} checks everything that the headers
 * tell, so that a wrong directory is refused before anything is computed or written.
 */
public final class HuggingFaceDirectory {
  private static final String WEIGHTS = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";
  private static final String DECODER = "cls.predictions.decoder.weight";
  private static final List<String> TOKENIZER_FILES =
      List.of("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json");

  /** Tables may be padded to a multiple of 8 by fewer rows than this. */
  private static final int MAX_PADDING_ROWS = 64;

  private final Path path;
  private final ModelSpec spec;
  private final Map<String, Place> places;

  /** Where a tensor lies, and its name there. */
  private record Place(SafeTensors file, String storedName) {
    Shape shape() {
      return file.shape(storedName);
    }
  }

  private HuggingFaceDirectory(Path path, ModelSpec spec, Map<String, Place> places) {
    this.path = path;
    this.spec = spec;
    this.places = places;
  }

  /**
   * Opens a directory and checks config, tensor names and shapes, and the vocabulary's size.
   *
   * @throws io.stillhouse.error.StillhouseException naming the model type or activation that we do
   *     not compute, or every missing, extra or misshaped tensor
   */
  public static HuggingFaceDirectory open(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      throw Errors.noSuchPath("model directory", path);
    }
    ModelSpec spec = HuggingFaceConfig.read(path.resolve("config.json"));
    Map<String, Place> places = places(path);
    requireParameters(path, spec, places);
    requireVocabulary(path, spec);
    return new HuggingFaceDirectory(path, spec, places);
  }

  public Path path() {
    return path;
  }

  public ModelSpec spec() {
    return spec;
  }

  /**
   * Returns whether there is a tensor of that name, as {@link ModelSpec#parameters()} writes names.
   */
  public boolean has(String name) {
    return places.containsKey(name);
  }

  /** Reads every parameter of {@link #spec()}, float32; the arrays belong to {@code manager}. */
  public Map<String, NDArray> weights(NDManager manager) {
    return weights(manager, spec.parameters().keySet());
  }

  /** Reads the named tensors only. */
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
   * Writes a directory that {@code from_pretrained} loads. Weights beyond the spec's, such as the
   * pooler of a masked LM, are kept.
   *
   * @param directory created if need be; whoever calls renames it into place
   * @param weights by the names of {@link ModelSpec#parameters()}
   * @param tokenizerSource a directory whose tokenizer files are copied, or null
   */
  public static void write(
      Path directory, ModelSpec spec, Map<String, NDArray> weights, @Nullable Path tokenizerSource)
      throws IOException {
    Files.createDirectories(directory);
    HuggingFaceConfig.write(directory.resolve("config.json"), spec);
    Map<String, NDArray> named = new LinkedHashMap<>();
    Set<String> names = new LinkedHashSet<>(spec.parameters().keySet());
    names.addAll(weights.keySet());
    for (String name : names) {
      NDArray weight = weights.get(name);
      if (weight == null) {
        throw new IllegalStateException("no weight " + name);
      }
      boolean bare = spec.head().task() == Task.NONE && name.startsWith("bert.");
      named.put(bare ? name.substring("bert.".length()) : name, weight);
    }
    SafeTensors.write(directory.resolve(WEIGHTS), named, Map.of("format", "pt"));
    if (tokenizerSource != null) {
      for (String file : TOKENIZER_FILES) {
        if (Files.exists(tokenizerSource.resolve(file))) {
          Files.copy(
              tokenizerSource.resolve(file),
              directory.resolve(file),
              StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
  }

  private static Map<String, Place> places(Path path) throws IOException {
    Map<String, Place> places = new LinkedHashMap<>();
    for (Path file : weightFiles(path)) {
      SafeTensors tensors = SafeTensors.open(file);
      for (String stored : tensors.names()) {
        places.put(canonical(stored), new Place(tensors, stored));
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
    JsonObject map =
        JsonParser.parseString(Files.readString(index))
            .getAsJsonObject()
            .getAsJsonObject("weight_map");
    return map.entrySet().stream()
        .map(Map.Entry::getValue)
        .map(JsonElement::getAsString)
        .distinct()
        .map(path::resolve)
        .toList();
  }

  /** Returns a stored name as {@link ModelSpec#parameters()} writes it. */
  private static String canonical(String stored) {
    String name = stored;
    if (Stream.of("embeddings.", "encoder.", "pooler.").anyMatch(name::startsWith)) {
      name = "bert." + name;
    }
    if (name.equals("cls.predictions.decoder.bias")) {
      return "cls.predictions.bias";
    }
    return name.replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias");
  }

  private static void requireParameters(Path path, ModelSpec spec, Map<String, Place> places) {
    List<String> problems = new ArrayList<>();
    spec.parameters()
        .forEach(
            (name, shape) -> {
              Place place = places.get(name);
              if (place == null) {
                problems.add("tensor '%s' %s is missing".formatted(name, Arrays.toString(shape)));
              } else if (!place.shape().equals(new Shape(shape))) {
                problems.add(
                    "tensor '%s' should have shape %s but has %s in %s"
                        .formatted(
                            name,
                            Arrays.toString(shape),
                            Arrays.toString(place.shape().getShape()),
                            place.file().file().getFileName()));
              }
            });
    for (Map.Entry<String, Place> entry : places.entrySet()) {
      if (!spec.parameters().containsKey(entry.getKey()) && !ignorable(entry.getKey())) {
        problems.add(
            "tensor '%s' in %s belongs to no %s of %d layers"
                .formatted(
                    entry.getValue().storedName(),
                    entry.getValue().file().file().getFileName(),
                    spec.head().task(),
                    spec.layers()));
      }
    }
    if (!problems.isEmpty()) {
      throw Errors.invalid(
          "the weights of '%s' do not fit its config.json: %s"
              .formatted(path, String.join("; ", problems)),
          "restore the pair that belongs together");
    }
  }

  /** Returns whether Hugging Face saves a tensor that we have no use for under this head. */
  private static boolean ignorable(String name) {
    return name.endsWith(".position_ids")
        || name.startsWith("cls.seq_relationship.")
        || name.startsWith("bert.pooler.")
        || name.startsWith("cls.predictions.");
  }

  private void requireTiedDecoder(NDManager manager, Map<String, NDArray> weights) {
    NDArray words = weights.get("bert.embeddings.word_embeddings.weight");
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

  private static void requireVocabulary(Path path, ModelSpec spec) throws IOException {
    int rows = spec.embeddings().vocabSize();
    Path vocab = path.resolve("vocab.txt");
    Path json = path.resolve("tokenizer.json");
    if (!Files.exists(vocab) && !Files.exists(json)) {
      throw Errors.invalid(
          "'%s' has neither vocab.txt nor tokenizer.json".formatted(path),
          "copy the model's tokenizer beside its weights");
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
    if (tokens > rows || tokens < rows && !padded) {
      throw Errors.invalid(
          "'%s' has %d tokens but the word embeddings %d rows (config.json vocab_size)"
              .formatted(file, tokens, rows),
          "use the vocabulary that the model was trained with");
    }
  }

  private static int tokensOf(Path tokenizerJson) throws IOException {
    JsonObject json = JsonParser.parseString(Files.readString(tokenizerJson)).getAsJsonObject();
    JsonObject vocab = json.getAsJsonObject("model").getAsJsonObject("vocab");
    int most = vocab.size() - 1;
    if (json.has("added_tokens")) {
      for (JsonElement added : json.getAsJsonArray("added_tokens")) {
        most = Math.max(most, added.getAsJsonObject().get("id").getAsInt());
      }
    }
    return most + 1;
  }
}

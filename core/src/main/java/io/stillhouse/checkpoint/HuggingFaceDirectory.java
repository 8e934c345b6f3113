package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.text.TokenizerDefinition;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A Hugging Face directory: {@code config.json}, weights in one or several safetensors files,
 * {@code vocab.txt} or {@code tokenizer.json}. Without safetensors, PyTorch's pickles are read if
 * they contain tensors only. {@link #open} checks the config, and the names, shapes and dtypes of
 * the tensors, so a wrong directory is rejected before anything is computed or written.
 */
public final class HuggingFaceDirectory implements ModelDirectory {
  private static final String DECODER = "cls.predictions.decoder.weight";

  private final Path path;
  private final EncoderSpec spec;
  private final Map<String, Place> places;
  private final List<String> notes;

  /** The file of a tensor, and its name in that file. */
  private record Place(TensorFile file, String storedName) {
    ParameterCheck.Found found() {
      return new ParameterCheck.Found(shape(), storedName, file.file());
    }

    Shape shape() {
      return file.shape(storedName);
    }

    FloatBuffer floats() throws IOException {
      return file.float32(storedName).asFloatBuffer();
    }
  }

  private HuggingFaceDirectory(
      Path path, EncoderSpec spec, Map<String, Place> places, List<String> notes) {
    this.path = path;
    this.spec = spec;
    this.places = places;
    this.notes = List.copyOf(notes);
  }

  /**
   * Opens a directory and checks the config, the names, shapes and dtypes of the tensors, and the
   * size of the vocabulary.
   *
   * @throws io.stillhouse.error.StillhouseException if the model type or activation is not
   *     supported; if tensors are missing or of the wrong shape, all of which the message lists; or
   *     if a tensor that belongs to the model is not of a floating-point dtype
   */
  public static HuggingFaceDirectory open(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      throw Errors.noSuchPath("model directory", path);
    }
    HuggingFaceConfig.Read config = HuggingFaceConfig.read(path.resolve(ModelFiles.CONFIG));
    Map<String, Place> places = places(path, TensorNames.of(config.spec().architecture()));
    EncoderSpec spec = config.specFor(places.keySet());
    Map<String, ParameterCheck.Found> found = new LinkedHashMap<>();
    places.forEach((name, place) -> found.put(name, place.found()));
    List<String> notes = new ArrayList<>(config.notes());
    wrapperNote(places).ifPresent(notes::add);
    ParameterCheck.require(path, spec, found).ifPresent(notes::add);
    places.forEach(
        (name, place) -> {
          if (belongs(name, spec) || isTiedDecoder(name, spec)) {
            place.file().requireReadable(place.storedName());
          }
        });
    requireVocabulary(path, spec);
    return new HuggingFaceDirectory(path, spec, places, notes);
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public EncoderSpec spec() {
    return spec;
  }

  /** Returns what was assumed and left out when the directory was opened, one sentence each. */
  public List<String> notes() {
    return notes;
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
        throw new IllegalStateException(format("'%s' has no tensor %s", path, name));
      }
      weights.put(name, place.file().read(place.storedName(), manager));
    }
    if (weights.containsKey(EncoderSpec.WORDS)) {
      try {
        requireTiedDecoder();
      } catch (IOException e) {
        throw new UncheckedIOException("cannot read the weights of " + path, e);
      }
    }
    return weights;
  }

  @Override
  public Map<String, LazyTensor> lazyWeights() throws IOException {
    requireTiedDecoder();
    Map<String, LazyTensor> weights = new LinkedHashMap<>();
    for (String name : spec.parameters().keySet()) {
      Place place = Objects.requireNonNull(places.get(name), name);
      weights.put(name, place.file().lazy(place.storedName()));
    }
    return weights;
  }

  /**
   * Writes a directory that {@code from_pretrained} loads. Weights that the spec does not list,
   * such as the pooler of a masked LM, are also written.
   *
   * @param directory created if necessary; the caller renames it into place
   * @param weights weights by name, as in {@link EncoderSpec#parameters()}
   * @param tokenizerSource a directory whose tokenizer is written too, or null
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
    HuggingFaceConfig.write(directory.resolve(ModelFiles.CONFIG), spec);
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
    SafeTensors.writeLazily(directory.resolve(ModelFiles.WEIGHTS), named, Map.of("format", "pt"));
  }

  @Override
  public void copyTo(Path directory) throws IOException {
    copy(path, directory);
    BertTokenizerFiles.copy(path, spec, directory);
  }

  /** Copies the config and the weights. */
  static void copy(Path path, Path directory) throws IOException {
    Files.createDirectories(directory);
    List<Path> files = new ArrayList<>(ModelFiles.all(path));
    files.removeAll(ModelFiles.tokenizer(path));
    for (Path file : files) {
      Files.copy(file, directory.resolve(file.getFileName()));
    }
  }

  /**
   * Writes the model to a new directory. Safetensors are copied if there are no {@link #notes};
   * otherwise the weights are written to {@code model.safetensors} in float32, without the tensors
   * that do not belong to the model.
   */
  public void convertTo(Path directory) throws IOException {
    boolean asIs = places.values().stream().allMatch(place -> place.file() instanceof SafeTensors);
    if (asIs && notes.isEmpty()) {
      copyTo(directory);
      return;
    }
    requireTiedDecoder();
    Map<String, LazyTensor> weights = new LinkedHashMap<>();
    places.forEach(
        (name, place) -> {
          if (belongs(name, spec)) {
            weights.put(name, place.file().lazy(place.storedName()));
          }
        });
    writeLazily(directory, spec, weights);
    HuggingFaceConfig.copy(
        path.resolve(ModelFiles.CONFIG), directory.resolve(ModelFiles.CONFIG), spec);
    BertTokenizerFiles.copy(path, spec, directory);
  }

  /** Returns whether a tensor is a parameter of a model, or the pooler that it could have. */
  public static boolean belongs(String name, EncoderSpec spec) {
    return name.startsWith("bert.pooler.") || spec.parameters().containsKey(name);
  }

  private static Map<String, Place> places(Path path, TensorNames names) throws IOException {
    Map<String, Place> places = new LinkedHashMap<>();
    for (Path file : ModelFiles.weights(path).files()) {
      TensorFile tensors = TensorFile.open(file);
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

  private static Optional<String> wrapperNote(Map<String, Place> places) {
    List<String> wrapped =
        places.values().stream()
            .map(place -> TensorNames.wrapper(place.storedName()))
            .filter(prefix -> !prefix.isEmpty())
            .toList();
    return wrapped.isEmpty()
        ? Optional.empty()
        : Optional.of(
            format(
                "removed the prefix '%s' from the names of %d tensors",
                Errors.shortened(wrapped.get(0)), wrapped.size()));
  }

  /** Returns whether a tensor must equal the word embeddings. */
  private static boolean isTiedDecoder(String name, EncoderSpec spec) {
    return name.equals(DECODER) && spec.head().task() == Task.MASKED_LM;
  }

  private void requireTiedDecoder() throws IOException {
    Place words = places.get(EncoderSpec.WORDS);
    Place decoder = places.get(DECODER);
    if (!isTiedDecoder(DECODER, spec) || words == null || decoder == null) {
      return;
    }
    if (!words.shape().equals(decoder.shape()) || !words.floats().equals(decoder.floats())) {
      throw Errors.invalid(
          format("'%s' has a masked-LM decoder that is not tied to its word embeddings", path),
          "use a model with tie_word_embeddings");
    }
  }

  /** Rejects a tokenizer with more tokens than the word embeddings have rows. */
  static void requireVocabulary(Path path, ModelSpec spec) throws IOException {
    TokenizerDefinition tokenizer = TokenizerDefinition.read(path);
    int tokens = tokenizer.vocabSize();
    int rows = spec.vocabSize();
    if (tokens > rows) {
      throw Errors.invalid(
          format(
              "the tokenizer of '%s' has %d tokens, but the word embeddings have %d rows"
                  + " (vocab_size in config.json)",
              path, tokens, rows),
          "use the vocabulary that the model was trained with");
    }
  }
}

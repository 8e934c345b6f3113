package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.checkpoint.ModelFiles;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.text.TextFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The files of a model to import.
 *
 * @param root the directory that contains all files
 * @param model the Hugging Face directory, TensorFlow index or ONNX file
 * @param notes which files of weights are not read, for the user
 */
record ForeignFiles(Kind kind, Path root, Path model, List<String> notes) {
  private static final int MAX_DEPTH = 16;

  /** Files of weights in a clone of a model hub's repository. */
  private static final Pattern WEIGHTS =
      Pattern.compile(".*\\.(onnx|index|h5|msgpack|ot|bin|safetensors)");

  private static final List<String> CASING_KEYS = List.of("doLowerCase", "do_lower_case");

  /** The format of a model. */
  enum Kind {
    HUGGING_FACE,
    TENSOR_FLOW,
    ONNX
  }

  /**
   * Finds the only model in a directory, file or archive.
   *
   * @param scratch a directory to be created for unpacked files
   */
  static ForeignFiles find(Path source, Path scratch) throws IOException {
    if (Files.isDirectory(source)) {
      return in(source, source);
    }
    String name = source.getFileName().toString();
    if (name.endsWith(".onnx")) {
      Path parent = source.toAbsolutePath().getParent();
      return new ForeignFiles(Kind.ONNX, parent == null ? source : parent, source, List.of());
    }
    if (name.matches(".*\\.(bin|pt|pth|safetensors)")) {
      throw Errors.invalid(
          format("'%s' has the weights of a model, but not its config and vocabulary", source),
          "import its directory, with config.json and vocab.txt or tokenizer.json");
    }
    if (!Archive.isZip(source)) {
      throw unknown(source, "is not a directory, a .onnx file, a jar or a zip");
    }
    Archive.unpack(source, scratch, Archive.Limits.MODEL);
    return in(source, scratch);
  }

  private static ForeignFiles in(Path source, Path root) throws IOException {
    List<Path> files = files(root);
    List<ForeignFiles> found = new ArrayList<>();
    for (Path file : files) {
      model(root, file).ifPresent(found::add);
    }
    // A directory with a config and weights is a model; other formats of it often lie beside or
    // below, and configs without weights are those of other software.
    List<ForeignFiles> complete = found.stream().filter(ForeignFiles::isComplete).toList();
    int top = found.stream().mapToInt(ForeignFiles::depth).min().orElse(0);
    List<ForeignFiles> first = complete.stream().filter(model -> model.depth() == top).toList();
    List<ForeignFiles> others =
        found.stream().filter(model -> model.kind() != Kind.HUGGING_FACE).toList();
    List<ForeignFiles> chosen =
        first.size() == 1 ? first : Stream.concat(complete.stream(), others.stream()).toList();
    if (chosen.isEmpty()) {
      chosen = found; // a config alone: opening it says what is missing
    }
    if (chosen.size() != 1) {
      throw found.isEmpty()
          ? unknown(source, "contains no config.json, TensorFlow variables (.index) or .onnx file")
          : unknown(source, "contains several models: " + Errors.joined(names(root, chosen)));
    }
    return chosen.get(0).withNotes(files);
  }

  private static List<String> names(Path root, List<ForeignFiles> models) {
    return models.stream()
        .map(model -> root.relativize(model.model()).toString())
        .map(name -> name.isEmpty() ? "." : name)
        .toList();
  }

  private static Optional<ForeignFiles> model(Path root, Path file) {
    String name = file.getFileName().toString();
    Path parent = file.getParent();
    if (name.equals("config.json") && parent != null) {
      return Optional.of(new ForeignFiles(Kind.HUGGING_FACE, root, parent, List.of()));
    }
    if (name.endsWith(".index")) {
      return Optional.of(new ForeignFiles(Kind.TENSOR_FLOW, root, file, List.of()));
    }
    return name.endsWith(".onnx")
        ? Optional.of(new ForeignFiles(Kind.ONNX, root, file, List.of()))
        : Optional.empty();
  }

  private boolean isComplete() {
    return kind == Kind.HUGGING_FACE && ModelFiles.hasWeights(model);
  }

  /** Returns how many directories below the root the model's files are. */
  private int depth() {
    Path directory = kind == Kind.HUGGING_FACE ? model : model.resolveSibling("");
    return directory.equals(root) ? 0 : root.relativize(directory).getNameCount();
  }

  private ForeignFiles withNotes(List<Path> files) throws IOException {
    if (kind != Kind.HUGGING_FACE || !isComplete()) {
      return this;
    }
    List<Path> own = ModelFiles.all(model);
    List<String> others =
        files.stream()
            .filter(file -> WEIGHTS.matcher(file.getFileName().toString()).matches())
            .filter(file -> !own.contains(file))
            .map(file -> root.relativize(file).toString())
            .toList();
    return others.isEmpty()
        ? this
        : new ForeignFiles(
            kind,
            root,
            model,
            List.of(
                format(
                    "read %s, and passed over other files of weights: %s",
                    own.get(own.size() - 1).getFileName(), Errors.joined(others))));
  }

  /** Returns the model's {@code vocab.txt}. */
  Path vocabulary() throws IOException {
    return only("vocab.txt", files(root).stream().filter(f -> named(f, "vocab.txt")).toList());
  }

  /**
   * Returns a file that states the casing, or null.
   *
   * @throws StillhouseException if two files contradict each other
   */
  @Nullable Path settings() throws IOException {
    Path first = null;
    for (Path file : files(root)) {
      if (!named(file, "model.json") && !named(file, "tokenizer_config.json")) {
        continue;
      }
      String casing = casing(file);
      if (casing == null) {
        continue;
      }
      if (first != null && !casing.equals(casing(first))) {
        throw Errors.invalid(
            format(
                "'%s' and '%s' contradict each other on whether text is lower-cased",
                root.relativize(first), root.relativize(file)),
            "correct or delete the one that is wrong");
      }
      first = first == null ? file : first;
    }
    return first;
  }

  private static @Nullable String casing(Path file) throws IOException {
    JsonObject json = TextFile.json(file);
    for (String key : CASING_KEYS) {
      JsonElement value = json.get(key);
      if (value != null && value.isJsonPrimitive()) {
        return value.getAsString();
      }
    }
    return null;
  }

  /**
   * Returns the model's {@code tokenizer.json}; for {@code x.onnx}, {@code x-tokenizer.json} takes
   * precedence.
   */
  Path tokenizer() throws IOException {
    String file = model.getFileName().toString();
    Path sibling =
        model.resolveSibling(
            file.substring(0, file.length() - ".onnx".length()) + "-tokenizer.json");
    if (Files.isRegularFile(sibling)) {
      return sibling;
    }
    Path plain = model.resolveSibling("tokenizer.json");
    if (Files.isRegularFile(plain)) {
      return plain;
    }
    try (Stream<Path> siblings = Files.list(model.toAbsolutePath().resolveSibling("."))) {
      return only(
          "tokenizer.json",
          siblings.filter(f -> f.getFileName().toString().endsWith("tokenizer.json")).toList());
    }
  }

  private Path only(String what, List<Path> candidates) {
    if (candidates.size() != 1) {
      throw Errors.invalid(
          format(
              "found %d %s files for the model '%s'", candidates.size(), what, model.getFileName()),
          format("put exactly one %s next to the model", what));
    }
    return candidates.get(0);
  }

  private static boolean named(Path file, String name) {
    return file.getFileName().toString().equals(name);
  }

  private static List<Path> files(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root, MAX_DEPTH)) {
      return files.filter(Files::isRegularFile).sorted().toList();
    } catch (FileSystemException e) {
      throw unreadable(root, e);
    } catch (UncheckedIOException e) {
      throw e.getCause() instanceof FileSystemException cause ? unreadable(root, cause) : e;
    }
  }

  private static StillhouseException unreadable(Path root, FileSystemException error) {
    return Errors.invalid(
        format(
            "cannot read '%s' in '%s' (%s)",
            Errors.shortened(String.valueOf(error.getFile())), root, reason(error)),
        "make it readable, or import a directory without it",
        error);
  }

  /** Returns why a file cannot be read or written. */
  static String reason(FileSystemException error) {
    String reason = error.getReason();
    return reason == null ? error.getClass().getSimpleName() : reason;
  }

  private static StillhouseException unknown(Path source, String why) {
    return Errors.invalid(
        format("'%s' %s", source, why),
        "import a Hugging Face directory, a TensorFlow checkpoint of BERT, or an ONNX export with"
            + " its tokenizer.json");
  }
}

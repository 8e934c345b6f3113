package io.stillhouse.checkpoint.foreign;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The files of a model to import.
 *
 * @param root the directory that contains all files
 * @param model the Hugging Face directory, TensorFlow index or ONNX file
 */
record ForeignFiles(Kind kind, Path root, Path model) {
  private static final int MAX_DEPTH = 16;

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
    if (source.getFileName().toString().endsWith(".onnx")) {
      Path parent = source.toAbsolutePath().getParent();
      return new ForeignFiles(Kind.ONNX, parent == null ? source : parent, source);
    }
    if (!Archive.isZip(source)) {
      throw unknown(source, "is not a directory, a .onnx file, a jar or a zip");
    }
    Archive.unpack(source, scratch);
    return in(source, scratch);
  }

  private static ForeignFiles in(Path source, Path root) throws IOException {
    List<Path> files = files(root);
    List<ForeignFiles> found =
        files.stream().flatMap(file -> model(root, file)).distinct().toList();
    if (found.size() != 1) {
      throw found.isEmpty()
          ? unknown(source, "contains no config.json, TensorFlow variables (.index) or .onnx file")
          : unknown(
              source,
              "contains several models: "
                  + String.join(
                      ", ",
                      found.stream().map(m -> root.relativize(m.model()).toString()).toList()));
    }
    return found.get(0);
  }

  private static Stream<ForeignFiles> model(Path root, Path file) {
    String name = file.getFileName().toString();
    Path parent = file.getParent();
    if (name.equals("config.json") && parent != null) {
      return Stream.of(new ForeignFiles(Kind.HUGGING_FACE, root, parent));
    }
    if (name.endsWith(".index")) {
      return Stream.of(new ForeignFiles(Kind.TENSOR_FLOW, root, file));
    }
    return name.endsWith(".onnx")
        ? Stream.of(new ForeignFiles(Kind.ONNX, root, file))
        : Stream.empty();
  }

  /** Returns the model's {@code vocab.txt}. */
  Path vocabulary() throws IOException {
    return only("vocab.txt", files(root).stream().filter(f -> named(f, "vocab.txt")).toList());
  }

  /** Returns a file that may state the casing, or null. */
  @Nullable Path settings() throws IOException {
    return files(root).stream()
        .filter(f -> named(f, "model.json") || named(f, "tokenizer_config.json"))
        .findFirst()
        .orElse(null);
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
          "found %d %s files for the model '%s'"
              .formatted(candidates.size(), what, model.getFileName()),
          "put exactly one %s next to the model".formatted(what));
    }
    return candidates.get(0);
  }

  private static boolean named(Path file, String name) {
    return file.getFileName().toString().equals(name);
  }

  private static List<Path> files(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root, MAX_DEPTH)) {
      return files.filter(Files::isRegularFile).sorted().toList();
    }
  }

  private static StillhouseException unknown(Path source, String why) {
    return Errors.invalid(
        "'%s' %s".formatted(source, why),
        "import a Hugging Face directory, a TensorFlow checkpoint of BERT, or an ONNX export with"
            + " its tokenizer.json");
  }
}

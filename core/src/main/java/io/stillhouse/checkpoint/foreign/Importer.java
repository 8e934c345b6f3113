package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.BertTokenizerFiles;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.ParameterCheck;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.text.TokenizerDefinition;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/** Converts models in other formats to Hugging Face directories. */
public final class Importer {
  private Importer() {}

  /**
   * The result of an import.
   *
   * @param model the new directory
   * @param notes assumptions and omissions, one sentence each
   */
  public record Imported(HuggingFaceDirectory model, List<String> notes) {
    public Imported {
      notes = List.copyOf(notes);
    }
  }

  /**
   * Imports a BERT encoder. The source is one of
   *
   * <ul>
   *   <li>TensorFlow variables (a checkpoint or an unpacked SavedModel) with {@code vocab.txt}. The
   *       result is a classifier if the source has the head of run_classifier.py, else a masked LM
   *       if it has that head; the pooler is kept. Without a {@code bert_config.json}, attention
   *       heads are assumed to have 64 dimensions, as in Google's models;
   *   <li>a float32 ONNX file exported by PyTorch, with its {@code tokenizer.json}, and its weights
   *       inside or beside it. The result is an encoder without a head;
   *   <li>a Hugging Face directory, which is checked and copied. Weights of PyTorch's pickles are
   *       written as safetensors;
   *   <li>a jar or zip that contains one of these, or a zip with one.
   * </ul>
   *
   * <p>The import is atomic: files are written to a hidden directory in the same parent, which is
   * then renamed to the destination.
   *
   * @throws io.stillhouse.error.StillhouseException if the destination exists, or the source is not
   *     a supported model
   */
  public static Imported importTeacher(Path source, Path destination) throws IOException {
    if (!Files.exists(source)) {
      throw Errors.noSuchPath("model to import", source);
    }
    if (Files.exists(destination)) {
      throw Errors.invalid(
          format("'%s' already exists", destination), "delete it, or choose another destination");
    }
    Path target = destination.toAbsolutePath().normalize();
    Path parent = Objects.requireNonNull(target.getParent(), "a path has a parent");
    Files.createDirectories(parent);
    Path work =
        parent.resolve(
            format(".%s.importing-%d", target.getFileName(), ProcessHandle.current().pid()));
    deleteAll(work);
    Files.createDirectory(work);
    try {
      ForeignFiles files = ForeignFiles.find(source, work.resolve("unpacked"));
      Path model = work.resolve("model");
      List<String> notes =
          convert(files, model).stream()
              .map(note -> withUsersPaths(source, destination, work, note))
              .toList();
      HuggingFaceDirectory.open(model);
      Files.move(model, target, StandardCopyOption.ATOMIC_MOVE);
      return new Imported(HuggingFaceDirectory.open(destination), notes);
    } catch (StillhouseException e) {
      throw withUsersPaths(source, destination, work, e);
    } finally {
      deleteAll(work);
    }
  }

  /** Replaces temporary paths in a message by the paths that the user named. */
  private static StillhouseException withUsersPaths(
      Path source, Path destination, Path work, StillhouseException error) {
    String message = String.valueOf(error.getMessage());
    return message.contains(work.toString())
        ? Errors.all(List.of(withUsersPaths(source, destination, work, message)))
        : error;
  }

  private static String withUsersPaths(Path source, Path destination, Path work, String message) {
    return message
        .replace(work.resolve("unpacked").toString(), source.toString())
        .replace(work.resolve("model").toString(), destination.toString());
  }

  private static List<String> convert(ForeignFiles files, Path model) throws IOException {
    return switch (files.kind()) {
      case HUGGING_FACE -> {
        HuggingFaceDirectory directory = HuggingFaceDirectory.open(files.model());
        directory.convertTo(model);
        List<String> notes = new ArrayList<>(files.notes());
        notes.addAll(directory.notes());
        notes.addAll(TokenizerDefinition.read(files.model()).notes());
        yield notes;
      }
      case TENSOR_FLOW -> {
        Path vocab = files.vocabulary();
        List<String> notes = BertTokenizerFiles.fromVocab(vocab, files.settings(), model);
        yield write(TensorFlowModel.read(files.model()), notes, model);
      }
      case ONNX -> {
        List<String> notes = BertTokenizerFiles.fromJson(files.tokenizer(), model);
        yield write(OnnxModel.read(files.model()), notes, model);
      }
    };
  }

  private static List<String> write(Importable found, List<String> tokenizerNotes, Path model)
      throws IOException {
    int padTokenId;
    try (Tokenizer tokenizer = Tokenizer.open(model)) {
      padTokenId = tokenizer.padId();
    }
    EncoderSpec spec = found.spec(padTokenId);
    List<String> notes = new ArrayList<>(found.notes());
    notes.addAll(tokenizerNotes);
    Map<String, ParameterCheck.Found> shapes = new LinkedHashMap<>();
    found
        .tensors()
        .forEach(
            (name, tensor) ->
                shapes.put(name, new ParameterCheck.Found(tensor.shape(), name, found.file())));
    ParameterCheck.require(found.file(), spec, shapes).ifPresent(notes::add);
    Map<String, LazyTensor> own = new LinkedHashMap<>(found.tensors());
    own.keySet().removeIf(name -> !HuggingFaceDirectory.belongs(name, spec));
    HuggingFaceDirectory.writeLazily(model, spec, own);
    return notes;
  }

  private static void deleteAll(Path root) throws IOException {
    if (!Files.exists(root)) {
      return;
    }
    List<Path> deepestFirst;
    try (Stream<Path> paths = Files.walk(root)) {
      deepestFirst = paths.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path path : deepestFirst) {
      Files.delete(path);
    }
  }
}

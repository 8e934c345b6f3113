package io.stillhouse.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.TextFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The directory of a model: config, weights and tokenizer. */
public sealed interface ModelDirectory permits HuggingFaceDirectory, BiLstmDirectory {
  /** Returns the path of the directory. */
  Path path();

  /** Returns the spec of the model. */
  ModelSpec spec();

  /** Reads every parameter of {@link #spec()} as float32. {@code manager} owns the arrays. */
  Map<String, NDArray> weights(NDManager manager);

  /**
   * Returns every parameter of {@link #spec()} in float32, in the order of a forward pass. Values
   * are read when they are requested, so that only one tensor is in memory at a time.
   */
  Map<String, LazyTensor> lazyWeights() throws IOException;

  /** Copies the config and the weights, and writes the tokenizer. */
  void copyTo(Path directory) throws IOException;

  /**
   * Opens a teacher, or a student of any architecture.
   *
   * @throws io.stillhouse.error.StillhouseException as {@link HuggingFaceDirectory#open}
   */
  static ModelDirectory open(Path path) throws IOException {
    return BiLstmDirectory.isBiLstm(path)
        ? BiLstmDirectory.open(path)
        : HuggingFaceDirectory.open(path);
  }

  /**
   * Reads only the config of a directory. Exports contain it even if the weights are left out. A
   * config that names no architecture describes a model without a head.
   *
   * @throws io.stillhouse.error.StillhouseException if there is no config, or the model is not
   *     supported
   */
  static ModelSpec readSpec(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      throw Errors.noSuchPath("model directory", path);
    }
    Path config = path.resolve(ModelFiles.CONFIG);
    return BiLstmDirectory.isBiLstm(path)
        ? BiLstmConfig.read(config)
        : HuggingFaceConfig.read(config).spec();
  }

  /**
   * Replaces the names of the classes or labels in the config of a directory.
   *
   * @param head the model's head, with other names
   */
  static void renameLabels(Path directory, Head head) throws IOException {
    Path config = directory.resolve(ModelFiles.CONFIG);
    JsonObject json = TextFile.json(config);
    HuggingFaceConfig.addHead(json, head);
    HuggingFaceConfig.write(config, json);
  }

  /**
   * Writes a directory that {@link #open} can open.
   *
   * @param directory created if necessary; the caller renames it into place
   * @param weights weights by name, as in {@link ModelSpec#parameters()}
   * @param tokenizerSource a directory whose tokenizer is written too, or null
   */
  static void write(
      Path directory, ModelSpec spec, Map<String, NDArray> weights, @Nullable Path tokenizerSource)
      throws IOException {
    Map<String, LazyTensor> lazy = new LinkedHashMap<>();
    weights.forEach((name, weight) -> lazy.put(name, LazyTensor.of(weight)));
    if (spec instanceof BiLstmSpec biLstm) {
      BiLstmDirectory.writeLazily(directory, biLstm, lazy);
    } else {
      HuggingFaceDirectory.writeLazily(directory, (EncoderSpec) spec, lazy);
    }
    if (tokenizerSource != null) {
      BertTokenizerFiles.copy(tokenizerSource, spec, directory);
    }
  }
}

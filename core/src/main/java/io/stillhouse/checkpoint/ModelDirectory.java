package io.stillhouse.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
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

  /** Copies the config, weights and tokenizer files only. */
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
   * Writes a directory that {@link #open} can open.
   *
   * @param directory created if necessary; the caller renames it into place
   * @param weights weights by name, as in {@link ModelSpec#parameters()}
   * @param tokenizerSource a directory whose tokenizer files are copied, or null
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
      for (String file : HuggingFaceDirectory.TOKENIZER_FILES) {
        if (Files.exists(tokenizerSource.resolve(file))) {
          Files.copy(
              tokenizerSource.resolve(file),
              directory.resolve(file),
              StandardCopyOption.REPLACE_EXISTING);
        }
      }
      if (spec instanceof EncoderSpec encoder) {
        BertTokenizerFiles.setTokenizerClass(directory, encoder.architecture());
      }
    }
  }
}

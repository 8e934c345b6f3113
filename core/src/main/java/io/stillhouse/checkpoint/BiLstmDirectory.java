package io.stillhouse.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.spec.BiLstmSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * The directory of a BiLSTM: a {@code config.json} with model type {@code stillhouse-bilstm}, the
 * {@code state_dict} of a PyTorch module in {@code model.safetensors}, and the teacher's tokenizer.
 */
final class BiLstmDirectory implements ModelDirectory {
  private final Path path;
  private final BiLstmSpec spec;
  private final SafeTensors tensors;

  private BiLstmDirectory(Path path, BiLstmSpec spec, SafeTensors tensors) {
    this.path = path;
    this.spec = spec;
    this.tensors = tensors;
  }

  /** Returns whether the config of a directory is that of a BiLSTM. */
  static boolean isBiLstm(Path path) throws IOException {
    Path config = path.resolve(ModelFiles.CONFIG);
    return Files.isRegularFile(config) && BiLstmConfig.isBiLstm(config);
  }

  /**
   * Opens a directory and checks the config, the names, shapes and dtypes of the tensors, and the
   * size of the vocabulary.
   */
  static BiLstmDirectory open(Path path) throws IOException {
    BiLstmSpec spec = BiLstmConfig.read(path.resolve(ModelFiles.CONFIG));
    SafeTensors tensors = SafeTensors.open(path.resolve(ModelFiles.WEIGHTS));
    Map<String, ParameterCheck.Found> found = new LinkedHashMap<>();
    for (String name : tensors.names()) {
      found.put(name, new ParameterCheck.Found(tensors.shape(name), name, tensors.file()));
    }
    ParameterCheck.require(path, spec, found);
    tensors.names().forEach(tensors::requireReadable);
    HuggingFaceDirectory.requireVocabulary(path, spec);
    return new BiLstmDirectory(path, spec, tensors);
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public BiLstmSpec spec() {
    return spec;
  }

  @Override
  public Map<String, NDArray> weights(NDManager manager) {
    Map<String, NDArray> weights = new LinkedHashMap<>();
    spec.parameters().keySet().forEach(name -> weights.put(name, tensors.read(name, manager)));
    return weights;
  }

  @Override
  public Map<String, LazyTensor> lazyWeights() {
    Map<String, LazyTensor> weights = new LinkedHashMap<>();
    spec.parameters().keySet().forEach(name -> weights.put(name, tensors.lazy(name)));
    return weights;
  }

  @Override
  public void copyTo(Path directory) throws IOException {
    HuggingFaceDirectory.copy(path, directory);
    BertTokenizerFiles.copy(path, spec, directory);
  }

  /** Writes config and weights, holding one tensor in memory at a time. */
  static void writeLazily(Path directory, BiLstmSpec spec, Map<String, LazyTensor> weights)
      throws IOException {
    Files.createDirectories(directory);
    BiLstmConfig.write(directory.resolve(ModelFiles.CONFIG), spec);
    Map<String, LazyTensor> named = new LinkedHashMap<>();
    for (String name : spec.parameters().keySet()) {
      named.put(name, Objects.requireNonNull(weights.get(name), name));
    }
    SafeTensors.writeLazily(directory.resolve(ModelFiles.WEIGHTS), named, Map.of("format", "pt"));
  }
}

package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.error.Errors;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** The tensors of a file, by the names of the parameters that they become. */
final class NamedTensors {
  private final Path file;
  private final Map<String, LazyTensor> tensors = new LinkedHashMap<>();
  private final Map<String, String> sources = new HashMap<>();

  NamedTensors(Path file) {
    this.file = file;
  }

  /**
   * Adds a tensor.
   *
   * @param name the name of the parameter
   * @param source the name of the tensor in the file
   * @throws io.stillhouse.error.StillhouseException if another tensor of the file has become this
   *     parameter, as in a file of two encoders
   */
  void put(String name, String source, LazyTensor tensor) {
    String before = sources.putIfAbsent(name, source);
    if (before != null) {
      throw Errors.invalid(
          format(
              "'%s' has two tensors for the parameter '%s': '%s' and '%s'",
              file, Errors.shortened(name), Errors.shortened(before), Errors.shortened(source)),
          "export one encoder alone, without optimization");
    }
    tensors.put(name, tensor);
  }

  /** Returns the tensors, in the order in which they were added. */
  Map<String, LazyTensor> byName() {
    return tensors;
  }
}

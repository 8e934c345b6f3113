package io.stillhouse.checkpoint;

import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.pickle.PytorchFile;
import io.stillhouse.error.Errors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/** The tensors of a PyTorch checkpoint, {@code pytorch_model.bin}. */
final class PytorchTensors implements TensorFile {
  private final Path file;
  private final PytorchFile tensors;

  private PytorchTensors(Path file, PytorchFile tensors) {
    this.file = file;
    this.tensors = tensors;
  }

  static PytorchTensors open(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw Errors.noSuchPath("PyTorch checkpoint", file);
    }
    return new PytorchTensors(file, PytorchFile.open(file));
  }

  @Override
  public Path file() {
    return file;
  }

  @Override
  public Set<String> names() {
    return tensors.names();
  }

  @Override
  public Shape shape(String name) {
    return new Shape(tensors.shape(name));
  }

  @Override
  public void requireReadable(String name) {
    StoredFloats.requireReadable(file, name, tensors.dtype(name), shape(name));
    tensors.requireMappable(name);
  }

  @Override
  public ByteBuffer float32(String name) throws IOException {
    requireReadable(name);
    return StoredFloats.toFloat32(tensors.dtype(name), tensors.bytes(name));
  }
}

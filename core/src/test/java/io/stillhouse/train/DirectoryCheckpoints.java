package io.stillhouse.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Checkpoints in a directory of the test. */
final class DirectoryCheckpoints implements CheckpointStore {
  private final Path directory;
  private final List<Long> steps = new ArrayList<>();

  DirectoryCheckpoints(Path directory) {
    this.directory = directory;
  }

  @Override
  public String place() {
    return directory.toString();
  }

  @Override
  public Optional<Path> newest() {
    return steps.isEmpty() ? Optional.empty() : Optional.of(file(steps.get(steps.size() - 1)));
  }

  @Override
  public void publish(long step, Path file) throws IOException {
    Files.move(file, file(step));
    steps.add(step);
  }

  List<Long> steps() {
    return steps;
  }

  private Path file(long step) {
    return directory.resolve("step-" + step + ".safetensors");
  }
}

package io.stillhouse.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** Where a run's checkpoints outlive the process. A checkpoint is one safetensors file. */
public interface CheckpointStore {
  /** Returns where they lie, for people. */
  String place();

  /** Returns a local copy of the newest complete checkpoint. */
  Optional<Path> newest() throws IOException;

  /** Makes a finished local file the newest checkpoint, all or nothing; the file may be moved. */
  void publish(long step, Path file) throws IOException;

  /**
   * Returns whether a checkpoint after so many steps is wanted besides those that the recipe asks
   * for.
   */
  default boolean wanted(long step) {
    return false;
  }
}

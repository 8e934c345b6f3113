package io.stillhouse.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** Stores the checkpoints of a run outside the process. A checkpoint is one safetensors file. */
public interface CheckpointStore {
  /** Returns the location of the checkpoints, for messages. */
  String place();

  /** Returns a local copy of the newest complete checkpoint. */
  Optional<Path> newest() throws IOException;

  /** Atomically publishes a complete local file as the newest checkpoint. The file may be moved. */
  void publish(long step, Path file) throws IOException;

  /**
   * Returns whether a checkpoint is wanted after a step, in addition to those at the recipe's
   * interval.
   */
  default boolean isRequested(long step) {
    return false;
  }
}

package io.stillhouse.train;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.error.Errors;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The state of a run after some of its steps: one safetensors file.
 *
 * @param file the tensors, whose names have the prefixes below
 * @param steps number of steps done, summed over all workers
 */
public record Checkpoint(SafeTensors file, long steps) {
  /** Prefix of a student's tensors and projections. */
  public static final String PARAMETER = "parameter.";

  /** Prefix of AdamW's moments. */
  public static final String MOMENT = "moment.";

  /** Prefix of the outer step's velocities. */
  public static final String VELOCITY = "velocity.";

  /** Prefix of the best weights so far. */
  static final String BEST = "best.";

  private static final String STEP = "step";
  private static final String RUN = "run";

  /**
   * Opens the newest checkpoint in a store, if there is one.
   *
   * @param run fingerprint of the recipe and the cache
   * @throws io.stillhouse.error.StillhouseException if the checkpoint belongs to another run
   */
  public static Optional<Checkpoint> newest(CheckpointStore store, String run) throws IOException {
    Optional<Path> newest = store.newest();
    if (newest.isEmpty()) {
      return Optional.empty();
    }
    SafeTensors file = SafeTensors.open(newest.get());
    String fingerprint = file.metadata().getOrDefault(RUN, "");
    if (!fingerprint.equals(run)) {
      throw Errors.invalid(
          format("the newest checkpoint in '%s' belongs to another recipe or cache", store.place()),
          "choose another student name, or delete that directory");
    }
    return Optional.of(
        new Checkpoint(file, Long.parseLong(file.metadata().getOrDefault(STEP, "0"))));
  }

  /** Publishes the state of a run after {@code steps} steps. */
  public static void publish(
      CheckpointStore store, String run, long steps, Map<String, LazyTensor> state)
      throws IOException {
    publish(store, run, steps, state, Map.of());
  }

  /** Publishes the state of a run with additional metadata. */
  static void publish(
      CheckpointStore store,
      String run,
      long steps,
      Map<String, LazyTensor> state,
      Map<String, String> more)
      throws IOException {
    Map<String, String> metadata = new HashMap<>(more);
    metadata.put(STEP, Long.toString(steps));
    metadata.put(RUN, run);
    Path file = Files.createTempFile("stillhouse-checkpoint", ".safetensors");
    try {
      SafeTensors.writeLazily(file, state, metadata);
      store.publish(steps, file);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /** Copies tensors from the file, where their names have a prefix, into the given tensors. */
  public void restore(String prefix, Map<String, NDArray> tensors, NDManager manager) {
    tensors.forEach(
        (name, tensor) -> {
          try (NDArray saved = file.read(prefix + name, manager)) {
            Autograd.copy(saved, tensor);
          }
        });
  }
}

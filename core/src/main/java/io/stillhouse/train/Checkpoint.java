package io.stillhouse.train;

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
 * @param file tensors by the prefixes below
 * @param steps done, those of all workers together
 */
public record Checkpoint(SafeTensors file, long steps) {
  /** Before the names of a student's tensors and projections. */
  public static final String PARAMETER = "parameter.";

  /** Before the names of AdamW's moments. */
  public static final String MOMENT = "moment.";

  /** Before the names of the outer step's velocities. */
  public static final String VELOCITY = "velocity.";

  /** Before the names of the best weights so far. */
  static final String BEST = "best.";

  private static final String STEP = "step";
  private static final String RUN = "run";

  /**
   * Opens the newest checkpoint of a run, if there is one.
   *
   * @param run names the recipe and the cache
   * @throws io.stillhouse.error.StillhouseException if the checkpoint is of another
   */
  public static Optional<Checkpoint> newest(CheckpointStore store, String run) throws IOException {
    Optional<Path> newest = store.newest();
    if (newest.isEmpty()) {
      return Optional.empty();
    }
    SafeTensors file = SafeTensors.open(newest.get());
    String made = file.metadata().getOrDefault(RUN, "");
    if (!made.equals(run)) {
      throw Errors.invalid(
          "the newest checkpoint in '%s' is of another recipe or cache".formatted(store.place()),
          "give the student another name, or delete that directory");
    }
    return Optional.of(
        new Checkpoint(file, Long.parseLong(file.metadata().getOrDefault(STEP, "0"))));
  }

  /** Publishes a run's state after {@code steps}. */
  public static void publish(
      CheckpointStore store, String run, long steps, Map<String, LazyTensor> state)
      throws IOException {
    publish(store, run, steps, state, Map.of());
  }

  /** As {@link #publish(CheckpointStore, String, long, Map)}, with further metadata. */
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

  /** Copies tensors of the file, which have a prefix there, into others of the same names. */
  public void restore(String prefix, Map<String, NDArray> tensors, NDManager manager) {
    tensors.forEach(
        (name, tensor) -> {
          try (NDArray saved = file.read(prefix + name, manager)) {
            Autograd.copy(saved, tensor);
          }
        });
  }
}

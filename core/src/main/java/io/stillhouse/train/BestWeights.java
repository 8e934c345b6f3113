package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the best weights of a training, measured on rows that it is not trained on, and implements
 * early stopping. If measurements are equal, the earlier weights are kept.
 */
final class BestWeights {
  private static final String STEP = "best.step";
  private static final String VALUE = "best.value";
  private static final String MISSES = "best.misses";

  private final TrainSpec.Selection selection;
  private final Trainer.Measure measure;
  private final NDManager manager;
  private final Map<String, NDArray> weights = new LinkedHashMap<>();
  private long step;
  private double value = Double.NEGATIVE_INFINITY;
  private int misses;

  /**
   * @param measure measures weights; larger is better
   * @param manager owns the copies
   */
  BestWeights(TrainSpec.Selection selection, Trainer.Measure measure, NDManager manager) {
    this.selection = selection;
    this.measure = measure;
    this.manager = manager;
  }

  /**
   * Measures the weights if a measurement is due, and keeps them if they are the best so far.
   *
   * @param done number of steps done
   * @param perEpoch number of steps in an epoch
   * @param steps number of steps of the whole training
   */
  void after(long done, long perEpoch, long steps, Map<String, NDArray> now) throws IOException {
    long interval = selection.evalEvery() > 0 ? selection.evalEvery() : perEpoch;
    if (done % interval != 0 && done != steps) {
      return;
    }
    double found = measure.of(now);
    if (found > value) {
      keep(done, found, now);
    } else {
      misses++;
    }
  }

  private void keep(long done, double found, Map<String, NDArray> now) {
    step = done;
    value = found;
    misses = 0;
    now.forEach(
        (name, weight) -> {
          NDArray copy = weights.get(name);
          if (copy == null) {
            copy = manager.zeros(weight.getShape());
            weights.put(name, copy);
          }
          Autograd.copy(weight, copy);
        });
  }

  /** Returns whether the patience is exhausted, so that the training must stop. */
  boolean exhausted() {
    return selection.patience() > 0 && misses >= selection.patience();
  }

  /** Overwrites the weights with the best ones, if any were kept. */
  void restoreBest(Map<String, NDArray> now) {
    weights.forEach(
        (name, best) -> Autograd.copy(best, Objects.requireNonNull(now.get(name), name)));
  }

  /** Returns which weights were kept, or null before the first measurement. */
  TrainSpec.@Nullable KeptStep keptStep() {
    return step == 0 ? null : new TrainSpec.KeptStep(selection.by(), step, value);
  }

  /** Returns the tensors to store in a checkpoint. */
  Map<String, LazyTensor> state() {
    Map<String, LazyTensor> state = new LinkedHashMap<>();
    weights.forEach((name, best) -> state.put(Checkpoint.BEST + name, LazyTensor.of(best)));
    return state;
  }

  /** Returns the metadata to store in a checkpoint. */
  Map<String, String> metadata() {
    return Map.of(
        STEP, Long.toString(step), VALUE, Double.toString(value), MISSES, Integer.toString(misses));
  }

  /** Restores the state from a checkpoint. */
  void restore(Checkpoint checkpoint, Map<String, NDArray> shapes) {
    Map<String, String> metadata = checkpoint.file().metadata();
    step = Long.parseLong(metadata.getOrDefault(STEP, "0"));
    value = Double.parseDouble(metadata.getOrDefault(VALUE, "-Infinity"));
    misses = Integer.parseInt(metadata.getOrDefault(MISSES, "0"));
    if (step == 0) {
      return; // nothing was kept
    }
    shapes.forEach((name, like) -> weights.put(name, manager.zeros(like.getShape())));
    checkpoint.restore(Checkpoint.BEST, weights, manager);
  }
}

package io.stillhouse.jobs.inference;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.text.Pairing;
import io.stillhouse.torch.Autograd;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Computes batches with our own encoder or BiLSTM. */
final class LibtorchForward implements BatchForward {
  private final ModelLocation location;
  private final Predictor predictor;
  private final int threads;

  /**
   * @param threads number of libtorch threads
   */
  LibtorchForward(ModelLocation location, Predictor predictor, int threads) {
    this.location = location;
    this.predictor = predictor;
    this.threads = threads;
  }

  @Override
  public float[][] logits(List<Pairing.Input> batch) {
    prepareThread(threads);
    try (NDManager manager = Devices.manager()) {
      return rows(
          required(predictor.forward(batch(manager, batch), Capture.NONE).logits(), location));
    }
  }

  @Override
  public float[][] embeddings(List<Pairing.Input> batch, Pooling pooling) {
    if (predictor.spec() instanceof BiLstmSpec) {
      throw Errors.invalid(
          format("'%s' is a BiLSTM, which has no hidden state for each token", location.path()),
          "use an encoder for embeddings");
    }
    prepareThread(threads);
    try (NDManager manager = Devices.manager()) {
      Batch padded = batch(manager, batch);
      return rows(pooled(predictor.forward(padded, Capture.NONE).last(), padded, pooling));
    }
  }

  /**
   * Sets the grad mode and the number of threads. Both are settings of a thread, and tasks share
   * threads.
   */
  static void prepareThread(int threads) {
    Autograd.record(Autograd.Mode.OFF);
    Autograd.threads(threads);
  }

  static Batch batch(NDManager manager, List<Pairing.Input> rows) {
    return Batch.of(
        manager,
        rows.stream().map(Pairing.Input::ids).toList(),
        rows.stream().map(Pairing.Input::tokenTypes).toList());
  }

  /** Returns the logits of a model, or throws if it has no pooled head. */
  static NDArray required(@Nullable NDArray logitsBC, ModelLocation location) {
    if (logitsBC == null) {
      throw Errors.invalid(
          format("'%s' has no task head, so it gives no classes or scores", location.path()),
          "use a fine-tuned model, or ask for embeddings");
    }
    return logitsBC;
  }

  /** Pools hidden states, (B, L, H), to (B, H). */
  static NDArray pooled(NDArray hiddenBLH, Batch batch, Pooling pooling) {
    if (pooling == Pooling.CLS) {
      return hiddenBLH.get(":, 0");
    }
    float[] lengths = new float[batch.rows()];
    for (int row = 0; row < lengths.length; row++) {
      lengths[row] = batch.lengths()[row];
    }
    NDArray lengthsB1 = hiddenBLH.getManager().create(lengths, new Shape(lengths.length, 1));
    return hiddenBLH.mul(batch.maskBL1()).sum(new int[] {1}).div(lengthsB1);
  }

  /** Copies a matrix, (B, N), into rows of Java. */
  static float[][] rows(NDArray matrixBN) {
    int rows = (int) matrixBN.getShape().get(0);
    float[] flat = matrixBN.toFloatArray();
    int width = flat.length / rows;
    float[][] result = new float[rows][];
    for (int row = 0; row < rows; row++) {
      result[row] = Arrays.copyOfRange(flat, row * width, (row + 1) * width);
    }
    return result;
  }
}

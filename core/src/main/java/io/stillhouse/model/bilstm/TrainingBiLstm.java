package io.stillhouse.model.bilstm;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.IValue;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Trainable;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.BiLstmSpec.Direction;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.util.ArrayList;
import java.util.List;

/**
 * A {@link BiLstm}'s forward pass and its backward pass, with the LSTM's derivatives written out in
 * {@code bilstm.py}; autograd computes the head's. Gradients are accumulated in place; in the word
 * table, only in the rows that were read.
 */
public final class TrainingBiLstm implements Trainable {
  final BiLstm model;
  final BiLstmOps ops;
  final IValue weights;
  final IValue gradients;
  private final List<NDArray> grads = new ArrayList<>();

  /**
   * Prepares the weights.
   *
   * @param model its weights require gradients, and are trained in place
   * @param precision precision of the products with the inputs; those with states are float32. The
   *     caller checks that the device supports it
   * @param manager determines the device
   */
  public TrainingBiLstm(BiLstm model, Precision precision, NDManager manager) {
    NDArray table = model.weight(BiLstmSpec.WORDS);
    List<NDArray> forward = model.lstmWeights(Direction.FORWARD);
    List<NDArray> backward = model.lstmWeights(Direction.BACKWARD);
    this.model = model;
    this.ops = new BiLstmOps(manager, precision);
    this.weights = ops.lstm(table, forward, backward);
    this.gradients = ops.lstm(zeros(List.of(table)).get(0), zeros(forward), zeros(backward));
  }

  /** Sets the gradients of weights to 0 and returns them. */
  private List<NDArray> zeros(List<NDArray> tensors) {
    List<NDArray> zeros = tensors.stream().map(Autograd::zeroGradient).toList();
    grads.addAll(zeros);
    return zeros;
  }

  /** Does nothing: the pass reads the trained weights directly. */
  @Override
  public void refresh() {}

  @Override
  public Pass forward(Batch batch, Capture capture, Dropout dropout) {
    return BiLstmPass.forward(this, batch, dropout);
  }

  @Override
  public void close() {
    weights.close();
    gradients.close();
    grads.forEach(NDArray::close);
    ops.close();
  }
}

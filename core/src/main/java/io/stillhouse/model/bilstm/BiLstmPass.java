package io.stillhouse.model.bilstm;

import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.IValue;
import io.stillhouse.model.Batch;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Trainable;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;

/** A {@link TrainingBiLstm}'s pass over one batch, after its forward half. */
final class BiLstmPass implements Trainable.Pass {
  private final TrainingBiLstm training;
  private final IValue saved;
  private final NDArray lastSE;
  private final EncoderOutput output;

  private BiLstmPass(TrainingBiLstm training, IValue saved, NDArray lastSE, EncoderOutput output) {
    this.training = training;
    this.saved = saved;
    this.lastSE = lastSE;
    this.output = output;
  }

  /**
   * Computes a batch. Gradients are recorded on this thread from the head on, so that a loss can be
   * computed.
   */
  static BiLstmPass forward(TrainingBiLstm training, Batch batch, Dropout dropout) {
    PackedTexts texts = PackedTexts.of(batch, training.model.spec().texts());
    try (IValue places = training.ops.places(batch, texts);
        IValue results = training.ops.run("forward", places, training.weights)) {
      IValue[] tuple = results.toIValueTuple();
      // A copy: DJL runs TorchScript below the autograd dispatch key, so its results cannot require
      // gradients.
      NDArray lastSE;
      try (IValue last = tuple[0];
          NDArray result = last.toTensor((PtNDManager) batch.idsBL().getManager())) {
        lastSE = result.duplicate();
      }
      lastSE.setRequiresGradient(true);
      Autograd.record(Autograd.Mode.ON); // autograd computes the head's gradients
      return new BiLstmPass(training, tuple[1], lastSE, training.model.output(lastSE, dropout));
    }
  }

  @Override
  public EncoderOutput output() {
    return output;
  }

  @Override
  public void backward() {
    Autograd.record(Autograd.Mode.OFF);
    NDArray grad = Autograd.gradient(lastSE);
    if (grad == null) {
      return; // no loss depends on it
    }
    try (grad;
        IValue gradSE = IValue.from((PtNDArray) grad)) {
      training.ops.run("backward", gradSE, saved, training.weights, training.gradients).close();
    }
  }

  @Override
  public void close() {
    saved.close();
  }
}

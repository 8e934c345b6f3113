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
  private final TrainingBiLstm of;
  private final IValue saved;
  private final NDArray lastSE;
  private final EncoderOutput output;

  private BiLstmPass(TrainingBiLstm of, IValue saved, NDArray lastSE, EncoderOutput output) {
    this.of = of;
    this.saved = saved;
    this.lastSE = lastSE;
    this.output = output;
  }

  /**
   * Computes a batch. Gradients are recorded on this thread from the head on, so that a loss can be
   * computed.
   */
  static BiLstmPass forward(TrainingBiLstm of, Batch batch, Dropout dropout) {
    PackedTexts texts = PackedTexts.of(batch, of.model.spec().texts());
    try (IValue places = of.ops.places(batch, texts);
        IValue results = of.ops.run("forward", places, of.weights)) {
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
      return new BiLstmPass(of, tuple[1], lastSE, of.model.output(lastSE, dropout));
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
      of.ops.run("backward", gradSE, saved, of.weights, of.gradients).close();
    }
  }

  @Override
  public void close() {
    saved.close();
  }
}

package io.stillhouse.model.bilstm;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.model.Batch;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Trainable;
import io.stillhouse.model.encoder.TrainingEncoder;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.util.Arrays;
import java.util.List;

/** A {@link TrainingBiLstm}'s pass over one batch. */
final class BiLstmPass implements Trainable.Pass {
  private final TrainingBiLstm of;
  private final IValue places;
  private final IValue sizes;
  private final IValue saved;
  private final NDArray lastSE;
  private final EncoderOutput output;

  BiLstmPass(TrainingBiLstm of, Batch batch, Dropout dropout) {
    this.of = of;
    NDManager manager = batch.idsBL().getManager();
    PackedTexts texts = PackedTexts.of(batch, of.model.spec().texts());
    this.places = places(batch, texts);
    this.sizes = IValue.listFrom(texts.sizes());
    try (IValue results =
        IValueUtils.runMethod(of.ops, "forward", places, sizes, of.table, of.weights)) {
      PtNDArray[] tensors = results.toTensorArray((PtNDManager) manager);
      this.saved = IValue.listFrom(Arrays.copyOfRange(tensors, 1, tensors.length));
      this.lastSE = tensors[0].duplicate(); // no gradient is taken to what runMethod returns
    }
    lastSE.setRequiresGradient(true);
    Autograd.record(Autograd.Mode.ON); // the head's own pass is recorded
    this.output = of.model.output(lastSE, dropout);
  }

  /** Returns where the texts' tokens are, as {@link BiLstmOps} takes it. */
  static IValue places(Batch batch, PackedTexts texts) {
    NDManager manager = batch.idsBL().getManager();
    NDArray ids = batch.idsBL().reshape(-1).get(inLibtorch(manager, texts.tokens()));
    return TrainingEncoder.list(
        List.of(
            ids,
            inLibtorch(manager, texts.backward()),
            inLibtorch(manager, texts.order()),
            inLibtorch(manager, texts.lasts()),
            inLibtorch(manager, texts.previous())));
  }

  /** Java's memory is freed while libtorch still reads it. */
  private static NDArray inLibtorch(NDManager manager, long[] numbers) {
    try (NDArray inJava = manager.create(numbers)) {
      return inJava.duplicate();
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
      return; // no loss reads it
    }
    try (grad;
        IValue gradSE = IValue.from((PtNDArray) grad)) {
      IValueUtils.runMethod(
              of.ops, "backward", gradSE, places, sizes, saved, of.weights, of.gradients)
          .close();
    }
  }

  @Override
  public void close() {
    places.close();
    sizes.close();
    saved.close();
  }
}

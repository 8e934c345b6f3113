package io.stillhouse.model.bilstm;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.IValue;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.BiLstmSpec.Direction;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Dropout;

/**
 * Runs the forward pass of a {@link BiLstm} without gradients, with the operators of its training
 * pass: one call of libtorch per batch, whereas {@link BiLstm} makes thirty per token.
 */
public final class InferenceBiLstm implements Predictor, AutoCloseable {
  private final BiLstm model;
  private final BiLstmOps ops;
  private final IValue weights;

  /**
   * @param model its weights belong to the caller and must outlive this object
   * @param manager determines the device, which must be that of the weights
   */
  public InferenceBiLstm(BiLstm model, NDManager manager) {
    this.model = model;
    this.ops = new BiLstmOps(manager, Precision.FLOAT32);
    this.weights =
        ops.lstm(
            model.weight(BiLstmSpec.WORDS),
            model.lstmWeights(Direction.FORWARD),
            model.lstmWeights(Direction.BACKWARD));
  }

  @Override
  public BiLstmSpec spec() {
    return model.spec();
  }

  @Override
  public EncoderOutput forward(Batch batch, Capture capture) {
    NDManager manager = batch.idsBL().getManager();
    PackedTexts texts = PackedTexts.of(batch, model.spec().texts());
    try (NDManager scope = manager.newSubManager()) {
      batch.idsBL().tempAttach(scope);
      try (IValue places = ops.places(batch, texts);
          IValue results = ops.run("forward", places, weights)) {
        IValue[] tuple = results.toIValueTuple();
        tuple[1].close();
        try (IValue last = tuple[0]) {
          NDArray lastSE = last.toTensor((PtNDManager) scope);
          lastSE.attach(manager);
          return model.output(lastSE, Dropout.NONE);
        }
      }
    }
  }

  @Override
  public NDArray maskedLmLogits(NDArray stateND) {
    return model.maskedLmLogits(stateND);
  }

  @Override
  public void close() {
    weights.close();
    ops.close();
  }
}

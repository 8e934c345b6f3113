package io.stillhouse.model.bilstm;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.encoder.TrainingEncoder;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Dropout;

/**
 * The forward pass of a {@link BiLstm} alone, by the operators of its training pass: one call of
 * libtorch a batch, where the plain pass makes thirty a token.
 */
public final class InferenceBiLstm implements Predictor, AutoCloseable {
  private final BiLstm model;
  private final PtSymbolBlock ops;
  private final IValue table;
  private final IValue weights;

  /**
   * @param model whose weights are computed with, and belong to the caller
   * @param manager whose device they are on; owns what this holds
   */
  public InferenceBiLstm(BiLstm model, NDManager manager) {
    this.model = model;
    this.ops = BiLstmOps.compile(manager, Precision.FLOAT32);
    this.table = IValue.from((PtNDArray) model.weight("embeddings.weight"));
    this.weights = TrainingEncoder.list(model.ofDirections());
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
      try (IValue places = BiLstmPass.places(batch, texts);
          IValue sizes = IValue.listFrom(texts.sizes());
          IValue results = IValueUtils.runMethod(ops, "forward", places, sizes, table, weights)) {
        NDArray lastSE = results.toTensorArray((PtNDManager) scope)[0];
        lastSE.attach(manager);
        return model.output(lastSE, Dropout.NONE);
      }
    }
  }

  @Override
  public NDArray maskedLmLogits(NDArray stateND) {
    return model.maskedLmLogits(stateND);
  }

  @Override
  public void close() {
    table.close();
    weights.close();
    ops.close();
  }
}

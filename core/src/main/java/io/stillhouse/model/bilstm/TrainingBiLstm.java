package io.stillhouse.model.bilstm;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Trainable;
import io.stillhouse.model.encoder.TrainingEncoder;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.util.ArrayList;
import java.util.List;

/**
 * The pass of a {@link BiLstm} forward and backward, with the LSTM's derivatives written out; its
 * head's are recorded. Gradients are added where they are kept, the word table's only in the rows
 * that were read.
 */
public final class TrainingBiLstm implements Trainable {
  final BiLstm model;
  final PtSymbolBlock ops;
  final IValue table;
  final IValue weights;
  final IValue gradients;
  private final List<NDArray> kept = new ArrayList<>();

  /**
   * Prepares the weights.
   *
   * @param model its weights require gradients, and are trained in place
   * @param precision of the products with the inputs; those with states stay float32
   * @param manager owns what this holds
   */
  public TrainingBiLstm(BiLstm model, Precision precision, NDManager manager) {
    this.model = model;
    this.ops = BiLstmOps.compile(manager, precision);
    NDArray words = model.weight("embeddings.weight");
    List<NDArray> all = model.ofDirections();
    this.table = IValue.from((PtNDArray) words);
    this.weights = TrainingEncoder.list(all);
    kept.add(Autograd.zeroGradient(words));
    all.forEach(weight -> kept.add(Autograd.zeroGradient(weight)));
    this.gradients = TrainingEncoder.list(kept);
  }

  @Override
  public void refresh() {
    // The LSTM's own weights are computed with.
  }

  @Override
  public Pass forward(Batch batch, Capture capture, Dropout dropout) {
    return new BiLstmPass(this, batch, dropout);
  }

  @Override
  public void close() {
    table.close();
    weights.close();
    gradients.close();
    kept.forEach(NDArray::close);
    ops.close();
  }
}

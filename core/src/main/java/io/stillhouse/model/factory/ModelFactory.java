package io.stillhouse.model.factory;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.Trainable;
import io.stillhouse.model.bilstm.BiLstm;
import io.stillhouse.model.bilstm.TrainingBiLstm;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.model.encoder.TrainingEncoder;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Precision;
import java.util.Map;

/** Makes the model of each architecture: the one place that knows them all. */
public final class ModelFactory {
  private ModelFactory() {}

  /**
   * Returns the model of a shape; whether it records gradients is the thread's {@link
   * io.stillhouse.torch.Autograd} mode.
   *
   * @param weights every tensor of {@link ModelSpec#parameters()}, float32, which belong to the
   *     caller; more are ignored
   */
  public static Predictor predictor(ModelSpec spec, Map<String, NDArray> weights) {
    return spec instanceof BiLstmSpec biLstm
        ? new BiLstm(biLstm, weights)
        : new Encoder((EncoderSpec) spec, weights);
  }

  /**
   * Prepares a model for training.
   *
   * @param model its weights require gradients
   * @param projections by hidden state, (teacher width, student width), trained in place, too:
   *     losses read these states projected
   * @param precision of linear layers' products; a head's stay float32
   * @param manager owns what this holds
   * @throws io.stillhouse.error.StillhouseException if the processor lacks the precision
   */
  public static Trainable trainable(
      Predictor model, Map<Integer, NDArray> projections, Precision precision, NDManager manager) {
    return model instanceof BiLstm biLstm
        ? new TrainingBiLstm(biLstm, precision, manager)
        : new TrainingEncoder((Encoder) model, projections, precision, manager);
  }
}

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

/** Creates models of any architecture. */
public final class ModelFactory {
  private ModelFactory() {}

  /**
   * Returns a model that uses plain operators. It records gradients if the thread's {@link
   * io.stillhouse.torch.Autograd} mode is on.
   *
   * @param weights every tensor of {@link ModelSpec#parameters()}, float32, owned by the caller;
   *     others are ignored
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
   * @param projections by hidden state, (teacher width, student width), also trained in place:
   *     losses read the projected states
   * @param precision precision of the products of linear layers; those of a head are float32. The
   *     caller checks that the device supports it
   * @param manager determines the device
   */
  public static Trainable trainable(
      Predictor model, Map<Integer, NDArray> projections, Precision precision, NDManager manager) {
    return model instanceof BiLstm biLstm
        ? new TrainingBiLstm(biLstm, precision, manager)
        : new TrainingEncoder((Encoder) model, projections, precision, manager);
  }
}

package io.stillhouse.model;

import ai.djl.ndarray.NDArray;
import io.stillhouse.spec.ModelSpec;

/** A model for inference: it computes batches without dropout. */
public interface Predictor {

  /** Returns the spec of the model. */
  ModelSpec spec();

  /**
   * Computes a batch.
   *
   * @param capture which tensors the output keeps in addition to the last hidden state and the
   *     logits
   * @return tensors attached to the batch's manager
   */
  EncoderOutput forward(Batch batch, Capture capture);

  /**
   * Returns masked-LM logits of some tokens.
   *
   * @param stateND last hidden states of N tokens
   * @return (N, V), attached to {@code stateND}'s manager
   * @throws IllegalStateException if the model has no masked-LM head
   */
  NDArray maskedLmLogits(NDArray stateND);
}

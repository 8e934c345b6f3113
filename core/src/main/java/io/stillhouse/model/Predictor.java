package io.stillhouse.model;

import ai.djl.ndarray.NDArray;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import java.util.Map;

/** A model that computes batches without dropout. */
public interface Predictor {

  /** Returns its shape. */
  ModelSpec spec();

  /** Computes a batch; results belong to the batch's manager. */
  EncoderOutput forward(Batch batch, Capture capture);

  /**
   * Returns masked-LM logits of chosen tokens.
   *
   * @param stateND last hidden states of N tokens
   * @return (N, V), attached to {@code stateND}'s manager
   */
  NDArray maskedLmLogits(NDArray stateND);
}

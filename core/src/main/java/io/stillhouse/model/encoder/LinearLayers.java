package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;

/** Computes the linear layers of an {@link Encoder}. */
public interface LinearLayers {
  /**
   * Returns the output of a layer, attached to the input's manager.
   *
   * @param input (..., in), float32
   * @param weight (out, in)
   * @param bias (out)
   * @param layer prefix of the names of its parameters, or {@code cls.predictions.decoder}
   */
  NDArray apply(NDArray input, NDArray weight, NDArray bias, String layer);
}

package io.stillhouse.model;

import io.stillhouse.torch.Dropout;

/**
 * A model whose pass goes forward and backward, with its derivatives written out. Its weights are
 * trained in place by whoever holds them.
 */
public interface Trainable extends AutoCloseable {

  /** Takes over what a step has made of the weights that this holds copies of. */
  void refresh();

  /** Computes a batch. */
  Pass forward(Batch batch, Capture capture, Dropout dropout);

  @Override
  void close();

  /** One batch: what it gives, and its way back. Everything belongs to the batch's manager. */
  interface Pass extends AutoCloseable {

    /** Returns what losses read; where their backward pass ends, {@link #backward} goes on. */
    EncoderOutput output();

    /** Adds the gradients of the weights, once those of what losses read are there. */
    void backward();

    @Override
    void close();
  }
}

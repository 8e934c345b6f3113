package io.stillhouse.model;

import io.stillhouse.torch.Dropout;

/**
 * A model for training, with a forward pass and a backward pass. The caller owns the weights and
 * updates them in place.
 */
public interface Trainable extends AutoCloseable {

  /** Updates copies of weights that this holds. Must be called after each change of the weights. */
  void refresh();

  /**
   * Computes a batch. Afterwards this thread records gradients, so that losses can be computed.
   *
   * @param capture which tensors the output keeps besides the last hidden state and the logits
   * @return a pass to be closed before the batch's manager
   */
  Pass forward(Batch batch, Capture capture, Dropout dropout);

  @Override
  void close();

  /** The passes over one batch. Tensors belong to the batch's manager. */
  interface Pass extends AutoCloseable {

    /**
     * Returns the tensors that losses read. The caller computes a loss and its gradients with
     * respect to these tensors, by {@link io.stillhouse.torch.Autograd#backward}, and then calls
     * {@link #backward}.
     */
    EncoderOutput output();

    /** Adds to the gradients of the weights, from the gradients of {@link #output}'s tensors. */
    void backward();

    @Override
    void close();
  }
}

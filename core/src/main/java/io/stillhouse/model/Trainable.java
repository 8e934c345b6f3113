package io.stillhouse.model;

import io.stillhouse.torch.Dropout;

/**
 * A model for training, with a forward pass and a backward pass. The caller owns the weights and
 * updates them in place.
 */
public interface Trainable extends AutoCloseable {

  /** Updates internal copies of the weights. Must be called after each change of the weights. */
  void refresh();

  /**
   * Computes a batch. Afterwards, gradients are recorded on this thread, so that losses can be
   * computed.
   *
   * @param capture which tensors the output keeps in addition to the last hidden state and the
   *     logits
   * @return a pass, to be closed before the batch's manager
   */
  Pass forward(Batch batch, Capture capture, Dropout dropout);

  @Override
  void close();

  /** The forward and backward pass over one batch. Tensors belong to the batch's manager. */
  interface Pass extends AutoCloseable {

    /**
     * Returns the tensors that losses read. The caller computes a loss and its gradients with
     * respect to these tensors, by {@link io.stillhouse.torch.Autograd#backward}, and then calls
     * {@link #backward}.
     */
    EncoderOutput output();

    /**
     * Propagates the gradients of {@link #output}'s tensors to the weights, and adds them to the
     * weights' gradients.
     */
    void backward();

    @Override
    void close();
  }
}

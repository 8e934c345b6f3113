package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;

/** Losses between a student's logits and the labels of the data. */
public final class HardLabelLoss {
  private HardLabelLoss() {}

  /**
   * Returns the cross-entropy of the true classes, averaged over the rows. Over the masked tokens'
   * vocabulary logits it is the masked-LM loss.
   *
   * @param logitsNC logits, (N, C), float32; for masked LM only the masked tokens
   * @param labelsN class ids, (N), int64
   * @return a scalar in nats
   * @throws IllegalArgumentException if the row counts differ
   */
  public static NDArray crossEntropy(NDArray logitsNC, NDArray labelsN) {
    long rows = logitsNC.getShape().get(0);
    if (labelsN.size() != rows) {
      throw new IllegalArgumentException(
          "%d rows of logits but %d labels".formatted(rows, labelsN.size()));
    }
    NDArray picked = logitsNC.logSoftmax(-1).gather(labelsN.reshape(rows, 1), 1);
    return picked.mean().neg();
  }

  /**
   * Returns the mean squared error of a regression.
   *
   * @param predictedB1 predictions, (B, 1), float32
   * @param scoresB true scores, (B), float32
   * @return a scalar in squared units of the score
   * @throws IllegalArgumentException if the row counts differ
   */
  public static NDArray squaredError(NDArray predictedB1, NDArray scoresB) {
    if (predictedB1.size() != scoresB.size()) {
      throw new IllegalArgumentException(
          "%d predictions but %d scores".formatted(predictedB1.size(), scoresB.size()));
    }
    return predictedB1.reshape(scoresB.getShape()).sub(scoresB).square().mean();
  }
}

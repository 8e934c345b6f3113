package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;

/** Losses between a student's logits and the labels of the data. */
final class HardLabelLoss {
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
    return logLikelihoods(logitsNC, labelsN).mean().neg();
  }

  /**
   * As {@link #crossEntropy(NDArray, NDArray)}, each row counting by the weight of its class.
   *
   * @param weightsC of the classes, (C), float32; the loss keeps its size where their mean over the
   *     data's rows is 1
   */
  public static NDArray crossEntropy(NDArray logitsNC, NDArray labelsN, NDArray weightsC) {
    NDArray weightsN1 = weightsC.reshape(-1, 1).gather(labelsN.reshape(-1, 1), 0);
    return logLikelihoods(logitsNC, labelsN).mul(weightsN1).mean().neg();
  }

  /**
   * Returns the cross-entropies of the true classes, each multiplied by a weight of its row,
   * summed.
   *
   * @param weightsN of the rows, (N), float32
   * @return a scalar in nats
   */
  static NDArray weightedCrossEntropy(NDArray logitsNC, NDArray labelsN, NDArray weightsN) {
    return logLikelihoods(logitsNC, labelsN).mul(weightsN.reshape(-1, 1)).sum().neg();
  }

  private static NDArray logLikelihoods(NDArray logitsNC, NDArray labelsN) {
    long rows = logitsNC.getShape().get(0);
    if (labelsN.size() != rows) {
      throw new IllegalArgumentException(
          "%d rows of logits but %d labels".formatted(rows, labelsN.size()));
    }
    return logitsNC.logSoftmax(-1).gather(labelsN.reshape(rows, 1), 1);
  }

  /**
   * Returns the cross-entropy of labels that are each true or false, averaged over rows and labels
   * (PyTorch's BCEWithLogitsLoss, which Hugging Face trains several labels with).
   *
   * @param logitsBC logits, float32
   * @param labelsBC 1 where a row has a label, else 0; int64, same shape
   * @return a scalar in nats
   * @throws IllegalArgumentException if the sizes differ
   */
  public static NDArray binaryCrossEntropy(NDArray logitsBC, NDArray labelsBC) {
    // A label is a choice of two: true has the logit, false 0.
    return crossEntropy(choices(logitsBC), labelsBC.reshape(-1).neg().add(1));
  }

  /** Returns each label's logits of true and of false, (B x C, 2). */
  static NDArray choices(NDArray logitsBC) {
    NDArray trueN1 = logitsBC.reshape(-1, 1);
    return trueN1.concat(trueN1.zerosLike(), 1);
  }

  /**
   * Returns the mean squared error of a regression.
   *
   * @param predictedB1 predictions, (B, 1), float32
   * @param scoresB true scores, (B), float32
   * @return a scalar in squared shards of the score
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

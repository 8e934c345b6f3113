package io.stillhouse.loss;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;

/** Losses between a model's logits and the labels of the data. */
final class HardLabelLoss {
  private HardLabelLoss() {}

  /**
   * Returns the cross-entropy of the true classes, averaged over the rows. For a masked LM, the
   * rows are the masked tokens and the classes are the vocabulary.
   *
   * @param logitsNC logits, (N, C), float32
   * @param labelsN class ids, (N), int64
   * @return a scalar in nats
   * @throws IllegalArgumentException if the row counts differ
   */
  public static NDArray crossEntropy(NDArray logitsNC, NDArray labelsN) {
    return logLikelihoods(logitsNC, labelsN).mean().neg();
  }

  /**
   * Returns the same mean with each row's cross-entropy multiplied by the weight of its class.
   *
   * @param weightsC weights of the classes, (C), float32. The sum is divided by the number of rows,
   *     not by the sum of weights, so the loss keeps its size if the mean weight of the data's rows
   *     is 1
   */
  public static NDArray crossEntropy(NDArray logitsNC, NDArray labelsN, NDArray weightsC) {
    NDArray weightsN1 = weightsC.reshape(-1, 1).gather(labelsN.reshape(-1, 1), 0);
    return logLikelihoods(logitsNC, labelsN).mul(weightsN1).mean().neg();
  }

  /**
   * Returns the weighted sum of the rows' cross-entropies.
   *
   * @param logitsNC logits, (N, C), float32
   * @param labelsN class ids, (N), int64
   * @param weightsN weights of the rows, (N), float32
   * @return a scalar in nats
   * @throws IllegalArgumentException if the row counts differ
   */
  static NDArray weightedCrossEntropy(NDArray logitsNC, NDArray labelsN, NDArray weightsN) {
    return logLikelihoods(logitsNC, labelsN).mul(weightsN.reshape(-1, 1)).sum().neg();
  }

  private static NDArray logLikelihoods(NDArray logitsNC, NDArray labelsN) {
    long rows = logitsNC.getShape().get(0);
    if (labelsN.size() != rows) {
      throw new IllegalArgumentException(
          format("%d rows of logits but %d labels", rows, labelsN.size()));
    }
    return logitsNC.logSoftmax(-1).gather(labelsN.reshape(rows, 1), 1);
  }

  /**
   * Returns the cross-entropy of labels that are each true or false, averaged over rows and labels
   * (PyTorch's BCEWithLogitsLoss, which Hugging Face uses for several labels).
   *
   * @param logitsBC logits, float32
   * @param labelsBC 1 where a row has a label, else 0; int64, same shape
   * @return a scalar in nats
   * @throws IllegalArgumentException if the sizes differ
   */
  public static NDArray binaryCrossEntropy(NDArray logitsBC, NDArray labelsBC) {
    // A label is a choice of two classes: true with its logit, and false with logit 0.
    return crossEntropy(binaryLogits(logitsBC), labelsBC.reshape(-1).neg().add(1));
  }

  /** Returns the logits of true and of false for each label, (B x C, 2). */
  static NDArray binaryLogits(NDArray logitsBC) {
    NDArray trueN1 = logitsBC.reshape(-1, 1);
    return trueN1.concat(trueN1.zerosLike(), 1);
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
          format("%d predictions but %d scores", predictedB1.size(), scoresB.size()));
    }
    return predictedB1.reshape(scoresB.getShape()).sub(scoresB).square().mean();
  }
}

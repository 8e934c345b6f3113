package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.torch.Autograd;
import java.util.List;
import java.util.Objects;

/** The loss on the labels of the data, determined by the task of a model's head. */
public final class LabelLoss {
  private LabelLoss() {}

  /**
   * Returns the mean loss of the rows that have a label, or of masked tokens for a masked LM.
   *
   * @param logits float32: (N, C) of these rows, or (N, V) of the masked tokens
   * @param classWeights weights of the classes of a classification; empty if all are equal
   * @return a scalar in nats, or in squared units of a regression's score
   * @throws IllegalStateException if the model has no head
   */
  static NDArray mean(Head head, NDArray logits, TargetBatch targets, List<Double> classWeights) {
    return switch (head.task()) {
      case CLASSIFICATION ->
          classWeights.isEmpty()
              ? HardLabelLoss.crossEntropy(logits, targets.classesN())
              : HardLabelLoss.crossEntropy(
                  logits, targets.classesN(), targets.numbers(classWeights));
      case REGRESSION -> HardLabelLoss.squaredError(logits, targets.scoresN());
      case MULTI_LABEL ->
          HardLabelLoss.binaryCrossEntropy(logits, targets.labelsNC(head.outputs()));
      case MASKED_LM -> HardLabelLoss.crossEntropy(logits, targets.maskedLabelsN());
      case NONE -> throw new IllegalStateException("a model without a head has no loss on labels");
    };
  }

  /**
   * Returns the sum over rows of each row's mean loss. A row's loss depends only on that row, so if
   * a tensor has one part per row, the gradient of the sum contains the gradient of each row's
   * loss.
   *
   * @param model the model, whose head determines the task
   * @param output the model's output for the rows
   * @param targets the rows, all with labels; each row of a masked LM has masked tokens
   * @return a scalar in nats, or in squared units of a regression's score
   * @throws IllegalStateException if the model has no head
   */
  public static NDArray sumOverRows(Predictor model, EncoderOutput output, TargetBatch targets) {
    Head head = model.spec().head();
    if (head.task() == Task.MASKED_LM) {
      return HardLabelLoss.weightedCrossEntropy(
          model.maskedLmLogits(targets.maskedTokensND(output.last())),
          targets.maskedLabelsN(),
          targets.maskedSharesN());
    }
    if (head.task() == Task.NONE) {
      throw new IllegalStateException("a model without a head has no loss on labels");
    }
    NDArray logitsBC = Objects.requireNonNull(output.logits());
    return Autograd.multiply(mean(head, logitsBC, targets, List.of()), targets.batch().rows());
  }
}

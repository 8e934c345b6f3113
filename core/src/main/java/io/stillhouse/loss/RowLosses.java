package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.torch.Autograd;
import java.util.Objects;

/**
 * The loss on the data's own labels, row by row: each row's is what {@link HardLabelLoss} gives of
 * that row alone.
 */
public final class RowLosses {
  private RowLosses() {}

  /**
   * Returns the sum of the rows' losses. Nothing of one row is in the loss of another, so the
   * gradient of what a row has of its own is that of its own loss.
   *
   * @param model whose head says what the labels are; of a masked LM each row has masked tokens
   * @param output of the rows
   * @param targets the rows, with labels
   * @return a scalar in nats, or in squared shards of a regression's score
   */
  public static NDArray sum(Predictor model, EncoderOutput output, TargetBatch targets) {
    int rows = targets.batch().rows();
    return switch (model.spec().head().task()) {
      case CLASSIFICATION ->
          Autograd.times(HardLabelLoss.crossEntropy(logits(output), targets.classesB()), rows);
      case REGRESSION ->
          Autograd.times(HardLabelLoss.squaredError(logits(output), targets.scoresB()), rows);
      case MULTI_LABEL ->
          Autograd.times(
              HardLabelLoss.binaryCrossEntropy(
                  logits(output), targets.labelsBC(model.spec().head().outputs())),
              rows);
      case MASKED_LM ->
          HardLabelLoss.weightedCrossEntropy(
              model.maskedLmLogits(targets.maskedTokensND(output.last())),
              targets.maskedLabelsN(),
              targets.maskedSharesN());
      case NONE -> throw new IllegalStateException("a model without a head has no loss on labels");
    };
  }

  private static NDArray logits(EncoderOutput output) {
    return Objects.requireNonNull(output.logits());
  }
}

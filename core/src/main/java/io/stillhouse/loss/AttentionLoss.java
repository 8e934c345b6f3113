package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.model.Autograd;
import org.jspecify.annotations.Nullable;

/** The loss between attention scores. */
public final class AttentionLoss {
  private AttentionLoss() {}

  /**
   * Returns the mean squared error of raw scores over heads and pairs of real tokens (TinyBERT's
   * L_attn, arXiv:1909.10351, section 3.1).
   *
   * <p>Scores are taken after {@code 1/sqrt(d)} and before the mask. TinyBERT's released code takes
   * them after the mask, sets masked ones to zero and averages over padding too; here padding is
   * left out of sum and count alike.
   *
   * @param studentBHLL student scores, float32
   * @param teacherBHLL teacher scores, same shape, finite at padding
   * @param maskBL1 1 at real tokens, 0 at padding; null where there is none
   * @param pairs the number of pairs of real tokens, the sum of squared lengths
   * @return a scalar
   * @throws IllegalArgumentException if the shapes differ
   */
  public static NDArray mse(
      NDArray studentBHLL, NDArray teacherBHLL, @Nullable NDArray maskBL1, long pairs) {
    Shapes.requireSame(studentBHLL, teacherBHLL);
    Shape shape = studentBHLL.getShape();
    long rows = shape.get(0);
    long length = shape.get(2);
    NDArray difference = studentBHLL.sub(teacherBHLL);
    if (maskBL1 != null) {
      NDArray queriesB1L1 = maskBL1.reshape(rows, 1, length, 1);
      NDArray keysB11L = maskBL1.reshape(rows, 1, 1, length);
      difference = difference.mul(queriesB1L1.mul(keysB11L));
    }
    return Autograd.over(difference.square().sum(), shape.get(1) * pairs);
  }
}

package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.torch.Autograd;
import org.jspecify.annotations.Nullable;

/** Losses between scores of pairs of tokens: attention scores, or relations. */
final class AttentionLoss {
  private AttentionLoss() {}

  /**
   * Returns the mean squared error of raw scores over heads and pairs of real tokens (TinyBERT's
   * L_attn, arXiv:1909.10351, section 3.1).
   *
   * <p>Scores are divided by {@code sqrt(K)} and not masked. TinyBERT's released code takes masked
   * scores, sets those at padding to zero and averages over them, too; here, padding is excluded
   * from both the sum and the count.
   *
   * @param studentBHLL student scores, float32
   * @param teacherBHLL teacher scores, same shape, finite at padding
   * @param maskBL1 1 at real tokens, 0 at padding; null if there is no padding
   * @param pairs the number of pairs of real tokens, the sum of squared lengths
   * @return a scalar without a unit
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
    return Autograd.divide(difference.square().sum(), (double) (shape.get(1) * pairs));
  }

  /**
   * Returns {@code KL(softmax(teacher) || softmax(student))} over the real tokens that a token
   * attends to, averaged over heads and real tokens (MiniLM's L_AT and L_VR, arXiv:2002.10957,
   * section 3; MiniLMv2's losses, arXiv:2012.15828, section 3.2).
   *
   * <p>The papers divide by the padded length; here, padding is excluded from sums, softmax and
   * counts.
   *
   * @param studentBHLL student scores, divided by {@code sqrt(K)} and not masked, float32; finite
   *     at padding
   * @param teacherBHLL teacher scores, same shape, finite at padding
   * @param maskBL1 1 at real tokens, 0 at padding; null if there is no padding
   * @param tokens the number of real tokens
   * @return a scalar in nats
   * @throws IllegalArgumentException if the shapes differ
   */
  public static NDArray kl(
      NDArray studentBHLL, NDArray teacherBHLL, @Nullable NDArray maskBL1, long tokens) {
    Shapes.requireSame(studentBHLL, teacherBHLL);
    Shape shape = studentBHLL.getShape();
    NDArray student = studentBHLL;
    NDArray teacher = teacherBHLL;
    if (maskBL1 != null) {
      NDArray biasB11L =
          Autograd.multiply(maskBL1.sub(1f), Float.MAX_VALUE)
              .reshape(shape.get(0), 1, 1, shape.get(3));
      student = student.add(biasB11L);
      teacher = teacher.add(biasB11L);
    }
    NDArray logTeacher = teacher.logSoftmax(-1);
    NDArray differenceBHLL = logTeacher.sub(student.logSoftmax(-1));
    NDArray divergenceBHL = logTeacher.exp().mul(differenceBHLL).sum(new int[] {-1});
    if (maskBL1 != null) {
      divergenceBHL = divergenceBHL.mul(maskBL1.reshape(shape.get(0), 1, shape.get(2)));
    }
    return Autograd.divide(divergenceBHL.sum(), (double) (shape.get(1) * tokens));
  }
}

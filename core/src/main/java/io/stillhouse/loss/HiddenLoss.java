package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;
import io.stillhouse.torch.Autograd;
import org.jspecify.annotations.Nullable;

/** Losses between hidden states of the same width. The embedding output is hidden state 0. */
final class HiddenLoss {
  /** Added to each squared norm, as PyTorch's CosineEmbeddingLoss does. */
  private static final float NORM_FLOOR = 1e-12f;

  private HiddenLoss() {}

  /**
   * Returns the mean squared error over real tokens and width (TinyBERT's L_hidn and L_embd,
   * arXiv:1909.10351, section 3.1).
   *
   * <p>TinyBERT's released code averages over padding, too; this does not.
   *
   * @param studentBLD student states, float32, projected to the teacher's width
   * @param teacherBLD teacher states, same shape; finite at padding
   * @param maskBL1 1 at real tokens, 0 at padding; null if there is no padding
   * @param tokens the number of real tokens
   * @return a scalar without a unit
   * @throws IllegalArgumentException if the shapes differ
   */
  public static NDArray mse(
      NDArray studentBLD, NDArray teacherBLD, @Nullable NDArray maskBL1, long tokens) {
    Shapes.requireSame(studentBLD, teacherBLD);
    long width = studentBLD.getShape().get(2);
    NDArray difference = masked(studentBLD.sub(teacherBLD), maskBL1);
    return Autograd.divide(difference.square().sum(), (double) (tokens * width));
  }

  /**
   * Returns {@code 1 - cos(student, teacher)}, averaged over real tokens (DistilBERT's L_cos,
   * arXiv:1910.01108, section 3).
   *
   * @param studentBLD student states, float32
   * @param teacherBLD teacher states, same shape
   * @param maskBL1 1 at real tokens, 0 at padding; null if there is no padding
   * @param tokens the number of real tokens
   * @return a scalar in 0..2
   * @throws IllegalArgumentException if the shapes differ
   */
  public static NDArray cosine(
      NDArray studentBLD, NDArray teacherBLD, @Nullable NDArray maskBL1, long tokens) {
    Shapes.requireSame(studentBLD, teacherBLD);
    int[] last = {-1};
    NDArray dot = studentBLD.mul(teacherBLD).sum(last, true);
    NDArray studentNorm = studentBLD.square().sum(last, true).add(NORM_FLOOR);
    NDArray teacherNorm = teacherBLD.square().sum(last, true).add(NORM_FLOOR);
    NDArray cosineBL1 = dot.div(studentNorm.mul(teacherNorm).sqrt());
    return Autograd.divide(masked(cosineBL1, maskBL1).sum(), (double) tokens).neg().add(1f);
  }

  /**
   * Returns the squared distance of the first token's states, each divided by its norm, averaged
   * over the rows (PKD's L_PT, arXiv:1908.09355, section 3.2; the paper sums over them).
   *
   * @param studentBD student states of [CLS], float32
   * @param teacherBD teacher states, same shape
   * @return a scalar in 0..4
   * @throws IllegalArgumentException if the shapes differ
   */
  public static NDArray firstTokenMse(NDArray studentBD, NDArray teacherBD) {
    Shapes.requireSame(studentBD, teacherBD);
    NDArray difference = normalized(studentBD).sub(normalized(teacherBD));
    return Autograd.divide(difference.square().sum(), (double) studentBD.getShape().get(0));
  }

  private static NDArray normalized(NDArray stateBD) {
    return stateBD.div(stateBD.square().sum(new int[] {-1}, true).add(NORM_FLOOR).sqrt());
  }

  private static NDArray masked(NDArray array, @Nullable NDArray mask) {
    return mask == null ? array : array.mul(mask);
  }
}

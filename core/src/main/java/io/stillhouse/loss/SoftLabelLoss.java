package io.stillhouse.loss;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import io.stillhouse.codec.SoftLabels;
import io.stillhouse.torch.Autograd;

/** Losses between a student's logits and its teacher's soft labels. */
final class SoftLabelLoss {
  private SoftLabelLoss() {}

  /**
   * Returns {@code T^2 * KL(softmax(teacher / T) || softmax(student / T))}, averaged over the rows.
   *
   * <p>{@code T^2} keeps the gradient's size independent of T (Hinton et al. 2015,
   * arXiv:1503.02531, section 2). DistilBERT's L_ce is this loss over tokens (arXiv:1910.01108,
   * section 3); TinyBERT's cross-entropy at T = 1 differs by the teacher's entropy, a constant.
   *
   * @param studentNC student logits, (N, C), float32; of N rows or tokens, without padding
   * @param teacherNC teacher logits, same shape; no gradient flows into them
   * @param temperature {@code T > 0}, no unit
   * @return a scalar in nats, attached to {@code studentNC}'s manager
   * @throws IllegalArgumentException if the shapes differ or {@code temperature} is not positive
   */
  public static NDArray kl(NDArray studentNC, NDArray teacherNC, double temperature) {
    Shapes.requireSame(studentNC, teacherNC);
    if (!(temperature > 0)) {
      throw new IllegalArgumentException("temperature must be > 0, but is " + temperature);
    }
    return kl(studentNC, SoftLabels.dense(teacherNC, temperature), temperature);
  }

  /**
   * Returns the same divergence from stored soft labels. For sampled ones it is an unbiased
   * estimate; for the top k and their tail it is a lower bound.
   *
   * @param studentNC student logits, (N, C), float32
   * @param teacher N distributions at {@code temperature}
   * @return a scalar in nats, attached to {@code studentNC}'s manager
   * @throws IllegalArgumentException if there are not N soft labels
   */
  public static NDArray kl(NDArray studentNC, SoftLabels teacher, double temperature) {
    if (studentNC.getShape().get(0) != teacher.rows()) {
      throw new IllegalArgumentException(
          format(
              "student has %d rows of logits, but teacher has %d soft labels",
              studentNC.getShape().get(0), teacher.rows()));
    }
    NDArray logStudent = Autograd.divide(studentNC, temperature).logSoftmax(-1);
    NDArray divergence =
        teacher.probabilitiesNK().mul(teacher.offsetsNK().sub(teacher.pick(logStudent))).sum();
    return Autograd.multiply(divergence, temperature * temperature / teacher.rows());
  }

  /**
   * Returns the mean squared difference of the logits (Ba and Caruana 2014; BERT to BiLSTM,
   * arXiv:1903.12136, section 3.2).
   *
   * @param studentNC student logits, (N, C), float32
   * @param teacherNC teacher logits, same shape
   * @return a scalar, the mean over N x C
   * @throws IllegalArgumentException if the shapes differ
   */
  public static NDArray mse(NDArray studentNC, NDArray teacherNC) {
    Shapes.requireSame(studentNC, teacherNC);
    return studentNC.sub(teacherNC).square().mean();
  }
}

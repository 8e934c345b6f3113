package io.stillhouse.codec;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.torch.Autograd;
import org.jspecify.annotations.Nullable;

/**
 * A teacher's distributions over classes for N rows or tokens, at one temperature. A distribution
 * is a list of outcomes: all classes; or some classes; or some classes and a last outcome, the
 * tail, that represents all others.
 *
 * @param idsNK the classes of the outcomes, (N, K), int64; null for all classes in order
 * @param probabilitiesNK probabilities of the outcomes, float32; each row sums to 1 and has K + 1
 *     of them if there is a tail
 * @param offsetsNK float32, broadcast over K. The divergence is the expectation of the offset minus
 *     the student's log-probability, so the offset is the teacher's log-probability; or, if the
 *     cells do not contain it, the negative entropy of the teacher
 */
public record SoftLabels(@Nullable NDArray idsNK, NDArray probabilitiesNK, NDArray offsetsNK) {

  /** A smaller tail is a rounding error: a tail is 1 minus a sum of float32 numbers. */
  static final float TAIL_FLOOR = 1e-7f;

  /** Returns the softmax of logits, (N, C), at a temperature. */
  public static SoftLabels dense(NDArray logitsNC, double temperature) {
    NDArray logNC = Autograd.divide(logitsNC, temperature).logSoftmax(-1);
    return new SoftLabels(null, logNC.exp(), logNC);
  }

  /**
   * Returns the top k classes, and all others as the tail.
   *
   * @param idsNK int64
   * @param logitsNK logits minus the largest logit of the row
   * @param logZN log-partition at {@code temperature} of the logits minus the largest, (N)
   */
  public static SoftLabels top(NDArray idsNK, NDArray logitsNK, NDArray logZN, double temperature) {
    NDArray logNK = Autograd.divide(logitsNK, temperature).sub(logZN.reshape(-1, 1));
    NDArray probabilitiesNK = logNK.exp();
    NDArray tailN1 = tail(probabilitiesNK);
    return new SoftLabels(idsNK, probabilitiesNK.concat(tailN1, 1), logNK.concat(tailN1.log(), 1));
  }

  /**
   * Returns classes that were drawn from the softmax, weighted by their share of the draws, so sums
   * over them are unbiased (Sparse Logit Sampling, arXiv:2503.16870, section 3).
   *
   * @param idsNK int64; padding may be any id with share 0
   * @param sharesNK shares of the draws, float32
   * @param entropyN the entropy of the teacher's softmax in nats, (N)
   */
  public static SoftLabels sampled(NDArray idsNK, NDArray sharesNK, NDArray entropyN) {
    return new SoftLabels(idsNK, sharesNK, entropyN.reshape(-1, 1).neg());
  }

  /** Returns the number of distributions. */
  public long rows() {
    return probabilitiesNK.getShape().get(0);
  }

  /**
   * Returns a student's log-probabilities of the outcomes, (N, K) or (N, K + 1).
   *
   * @param logStudentNC the student's log-probabilities of all classes
   */
  public NDArray pick(NDArray logStudentNC) {
    if (idsNK == null) {
      return logStudentNC;
    }
    NDArray pickedNK = logStudentNC.gather(idsNK, 1);
    boolean tailed = probabilitiesNK.getShape().get(1) > idsNK.getShape().get(1);
    return tailed ? pickedNK.concat(tail(pickedNK.exp()).log(), 1) : pickedNK;
  }

  private static NDArray tail(NDArray probabilitiesNK) {
    NDManager manager = probabilitiesNK.getManager();
    NDArray rest = probabilitiesNK.sum(new int[] {1}, true).neg().add(1f);
    NDArray floor = manager.full(new Shape(), TAIL_FLOOR, DataType.FLOAT32);
    return rest.maximum(floor);
  }
}

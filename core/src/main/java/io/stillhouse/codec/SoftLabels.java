package io.stillhouse.codec;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.torch.Autograd;
import org.jspecify.annotations.Nullable;

/**
 * A teacher's distributions over the classes of N rows or tokens, at one temperature, however they
 * were kept. Each is a list of outcomes: every class, or chosen classes, or chosen classes and a
 * last outcome for all others together.
 *
 * @param idsNK the classes of the outcomes, (N, K), int64; null for every class in order
 * @param probabilitiesNK of the outcomes, summing to 1 over each row; with a tail, K + 1 of them
 * @param offsetsNK what the divergence adds to minus the student's log-probability: the log of the
 *     teacher's own, or, where that is not known, minus the teacher's entropy; broadcast over K
 */
public record SoftLabels(@Nullable NDArray idsNK, NDArray probabilitiesNK, NDArray offsetsNK) {

  /** A tail of less than this is rounding: 1 less a sum of float32 numbers. */
  static final float TAIL_FLOOR = 1e-7f;

  /** Takes every class from logits, (N, C). */
  public static SoftLabels dense(NDArray logitsNC, double temperature) {
    NDArray logNC = Autograd.over(logitsNC, temperature).logSoftmax(-1);
    return new SoftLabels(null, logNC.exp(), logNC);
  }

  /**
   * Takes the k likeliest classes, and all others as one.
   *
   * @param idsNK int64
   * @param logitsNK less the largest logit
   * @param logZN log-partition at {@code temperature} of the logits less the largest
   */
  public static SoftLabels top(NDArray idsNK, NDArray logitsNK, NDArray logZN, double temperature) {
    NDArray logNK = Autograd.over(logitsNK, temperature).sub(logZN.reshape(-1, 1));
    NDArray probabilitiesNK = logNK.exp();
    NDArray tailN1 = tail(probabilitiesNK);
    return new SoftLabels(idsNK, probabilitiesNK.concat(tailN1, 1), logNK.concat(tailN1.log(), 1));
  }

  /**
   * Takes classes drawn from the softmax; each counts by its share of the draws, so sums over them
   * are unbiased (Sparse Logit Sampling, arXiv:2503.16870, section 3).
   *
   * @param idsNK int64; padding of any id with share 0
   * @param sharesNK shares of the draws
   * @param entropyN the entropy of the teacher's softmax, nats
   */
  public static SoftLabels sampled(NDArray idsNK, NDArray sharesNK, NDArray entropyN) {
    return new SoftLabels(idsNK, sharesNK, entropyN.reshape(-1, 1).neg());
  }

  /** Returns the number of distributions. */
  public long rows() {
    return probabilitiesNK.getShape().get(0);
  }

  /** Returns a student's log-probabilities of the outcomes, from those of its classes, (N, C). */
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

package io.stillhouse.train.rounds;

import io.stillhouse.spec.TrainSpec;
import io.stillhouse.train.FlatWeights;
import java.nio.FloatBuffer;
import java.util.List;

/**
 * The outer optimizer, which averages the workers' differences and takes a step with Nesterov
 * momentum over rounds (DiLoCo, Douillard et al. 2023, arXiv:2311.08105, section 2). It is plain
 * Java, so it gives the same bits on every machine.
 */
public final class OuterStep {
  private OuterStep() {}

  /**
   * The difference of one worker in one piece of the weights.
   *
   * @param worker number of the worker, from 0
   * @param tokens number of tokens it was trained on, its weight in the mean
   * @param numbers weights at the start of the round minus those at its end, encoded in the dtype
   *     of the recipe
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record WorkerDelta(int worker, long tokens, byte[] numbers)
      implements java.io.Serializable {}

  /**
   * Returns the mean difference of one piece as float32. Differences are weighted by tokens and
   * summed in float64 in the order of worker numbers, regardless of the order in which they
   * arrived.
   *
   * @param deltas the differences of the workers that delivered one
   */
  public static byte[] mean(List<WorkerDelta> deltas, TrainSpec.Delta dtype) {
    List<WorkerDelta> inOrder =
        deltas.stream().sorted(java.util.Comparator.comparingInt(WorkerDelta::worker)).toList();
    long tokens = inOrder.stream().mapToLong(WorkerDelta::tokens).sum();
    int size = inOrder.get(0).numbers().length / DeltaCodec.bytes(dtype);
    double[] sums = new double[size];
    for (WorkerDelta delta : inOrder) {
      DeltaCodec.addTo(sums, delta.numbers(), dtype, (double) delta.tokens() / tokens);
    }
    byte[] mean = new byte[4 * size];
    FloatBuffer floats = FlatWeights.floats(mean);
    for (int i = 0; i < size; i++) {
      floats.put(i, (float) sums[i]);
    }
    return mean;
  }

  /**
   * Updates the weights in place with the mean difference, in float64 rounded to float32.
   *
   * @param velocity momentum of the previous rounds; updated in place
   * @param means one for each piece, as {@link #mean} returns them
   */
  public static void apply(
      FlatWeights weights, FlatWeights velocity, List<byte[]> means, TrainSpec.Outer outer) {
    for (int piece = 0; piece < weights.pieces(); piece++) {
      FloatBuffer weight = FlatWeights.floats(weights.piece(piece));
      FloatBuffer speed = FlatWeights.floats(velocity.piece(piece));
      FloatBuffer mean = FlatWeights.floats(means.get(piece));
      for (int i = 0; i < mean.limit(); i++) {
        float moved = (float) (outer.momentum() * speed.get(i) + mean.get(i));
        speed.put(i, moved);
        double step = outer.learningRate() * (mean.get(i) + outer.momentum() * moved);
        weight.put(i, (float) (weight.get(i) - step));
      }
    }
  }
}

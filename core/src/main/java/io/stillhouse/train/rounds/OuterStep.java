package io.stillhouse.train.rounds;

import io.stillhouse.spec.TrainSpec;
import io.stillhouse.train.FlatWeights;
import java.nio.FloatBuffer;
import java.util.List;

/**
 * What is done with the workers' differences, in plain Java, so that it gives the same bits
 * everywhere: their mean, and Nesterov's step over rounds (arXiv:2311.08105, section 2).
 */
public final class OuterStep {
  private OuterStep() {}

  /**
   * One worker's difference over one piece.
   *
   * @param worker from 0
   * @param tokens that it was trained on, its weight in the mean
   * @param numbers weights at the round's start less those at its end, as the recipe says that they
   *     travel
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Part(int worker, long tokens, byte[] numbers) implements java.io.Serializable {}

  /**
   * Returns the mean difference of one piece, float32: weighted by tokens and summed in float64 in
   * the workers' order, whatever the order in which they came.
   *
   * @param parts of those workers that delivered
   */
  public static byte[] mean(List<Part> parts, TrainSpec.Delta dtype) {
    List<Part> inOrder =
        parts.stream().sorted(java.util.Comparator.comparingInt(Part::worker)).toList();
    long tokens = inOrder.stream().mapToLong(Part::tokens).sum();
    int size = inOrder.get(0).numbers().length / DeltaCodec.bytes(dtype);
    double[] sums = new double[size];
    for (Part part : inOrder) {
      DeltaCodec.addTo(sums, part.numbers(), dtype, (double) part.tokens() / tokens);
    }
    byte[] mean = new byte[4 * size];
    FloatBuffer floats = FlatWeights.floats(mean);
    for (int i = 0; i < size; i++) {
      floats.put(i, (float) sums[i]);
    }
    return mean;
  }

  /**
   * Moves weights by the mean difference, in place, in float64 rounded to float32.
   *
   * @param velocity of the rounds before; it is changed, too
   * @param means one for each piece, as {@link #mean} gives them
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

package io.stillhouse.jobs.inference;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Computes probabilities from the outputs of a model, and checks that outputs are finite. */
public final class Outputs {
  private Outputs() {}

  /** Returns whether all numbers of a row are finite. */
  public static boolean areFinite(float[] row) {
    for (float value : row) {
      if (!Float.isFinite(value)) {
        return false;
      }
    }
    return true;
  }

  /** Returns the probabilities of classes, exactly one of which is true, from finite logits. */
  public static double[] softmax(float[] logits) {
    double largest = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      largest = Math.max(largest, logit);
    }
    double[] probabilities = new double[logits.length];
    double sum = 0;
    for (int c = 0; c < logits.length; c++) {
      probabilities[c] = Math.exp(logits[c] - largest);
      sum += probabilities[c];
    }
    for (int c = 0; c < logits.length; c++) {
      probabilities[c] /= sum;
    }
    return probabilities;
  }

  /** Returns the probabilities of labels, any number of which may be true. */
  public static double[] sigmoid(float[] logits) {
    double[] probabilities = new double[logits.length];
    for (int label = 0; label < logits.length; label++) {
      probabilities[label] = 1 / (1 + Math.exp(-logits[label]));
    }
    return probabilities;
  }

  /** Returns the indices of classes, the most probable first; equal ones keep their order. */
  public static List<Integer> order(double[] probabilities) {
    return IntStream.range(0, probabilities.length)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer c) -> -probabilities[c]))
        .toList();
  }
}

package io.stillhouse.spec;

/**
 * The labels of a row as one number, the sum of 2^id. A double represents 52 labels exactly, so
 * that they fit in the column in which other tasks store a class id or a score.
 */
public final class LabelSet {
  /** The largest number of labels. */
  public static final int MAX_LABELS = 52;

  private LabelSet() {}

  /** Returns a set with a label added. */
  public static double with(double set, int label) {
    return (double) ((long) set | 1L << label);
  }

  /** Returns 1 for each label in the set and 0 for each other label. */
  public static double[] numbers(double set, int labels) {
    double[] numbers = new double[labels];
    for (int label = 0; label < labels; label++) {
      numbers[label] = (long) set >> label & 1;
    }
    return numbers;
  }
}

package io.stillhouse.spec;

/**
 * The labels that a row has, as one number: the sum of 2^id over them. A double holds those of 52
 * labels exactly, in the column where other tasks have a class id or a score.
 */
public final class LabelSet {
  /** The most labels that there may be. */
  public static final int MOST = 52;

  private LabelSet() {}

  /** Returns a set with a label more. */
  public static double with(double set, int label) {
    return (double) ((long) set | 1L << label);
  }

  /** Returns 1 for each label of the set and 0 for each other. */
  public static double[] numbers(double set, int labels) {
    double[] numbers = new double[labels];
    for (int label = 0; label < labels; label++) {
      numbers[label] = (long) set >> label & 1;
    }
    return numbers;
  }
}

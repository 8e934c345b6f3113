package io.stillhouse.evaluate;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;

/**
 * How often a second models compute a pass. They take turns, so that whatever else slows the
 * machine slows all alike; a turn of each warms up, and medians of the others count.
 */
public final class Turns {
  /** An odd number, so that a median is one of them. */
  static final int MEASURED = 5;

  /** Turns that each model takes. */
  public static final int ALL = 1 + MEASURED;

  private static final double NANOS = 1e9;

  private Turns() {}

  /** What is measured. */
  public interface Pass {
    void run() throws IOException;
  }

  /**
   * How fast a model is.
   *
   * @param perSecond passes a second
   * @param timesFirst by how much that is more than the first model's in the turn beside it
   */
  public record Rate(double perSecond, double timesFirst) {}

  /**
   * Measures models in their order, again and again.
   *
   * @param seconds that the turns of one model take together, but each turn has one pass at least
   * @param nanoTime a clock
   * @param turnDone called after each turn
   */
  public static List<Rate> measure(
      List<? extends Pass> models, double seconds, LongSupplier nanoTime, Runnable turnDone)
      throws IOException {
    long turn = (long) (seconds / ALL * NANOS);
    double[][] rates = new double[ALL][models.size()];
    for (double[] round : rates) {
      for (int m = 0; m < round.length; m++) {
        round[m] = rate(models.get(m), turn, nanoTime);
        turnDone.run();
      }
    }
    List<Rate> measured = new ArrayList<>();
    for (int m = 0; m < models.size(); m++) {
      int model = m;
      measured.add(
          new Rate(
              median(round -> rates[round][model]),
              median(round -> rates[round][model] / rates[round][0])));
    }
    return measured;
  }

  private static double rate(Pass pass, long turn, LongSupplier nanoTime) throws IOException {
    long start = nanoTime.getAsLong();
    long passes = 0;
    long taken;
    do {
      pass.run();
      passes++;
      taken = nanoTime.getAsLong() - start;
    } while (taken < turn);
    return passes * NANOS / Math.max(1, taken);
  }

  /** Returns the median over all rounds but the one that warmed up. */
  private static double median(IntToDoubleFunction ofRound) {
    double[] values = IntStream.range(1, ALL).mapToDouble(ofRound).toArray();
    Arrays.sort(values);
    return values[MEASURED / 2];
  }
}

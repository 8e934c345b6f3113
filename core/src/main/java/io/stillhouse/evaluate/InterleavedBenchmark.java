package io.stillhouse.evaluate;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;

/**
 * Measures how many passes per second models compute. Models take turns, so that other load on the
 * machine affects all of them alike. The first turn of each model is a warm-up; the result is the
 * median of the others.
 */
public final class InterleavedBenchmark {
  /** Odd, so that the median is a measured value. */
  static final int MEASURED = 5;

  /** Number of turns of each model. */
  public static final int ALL = 1 + MEASURED;

  private static final double NANOS = 1e9;

  private InterleavedBenchmark() {}

  /** The work that is measured. */
  public interface Pass {
    void run() throws IOException;
  }

  /**
   * The speed of a model.
   *
   * @param perSecond passes per second
   * @param timesFirst speed relative to the first model in the same round
   */
  public record Rate(double perSecond, double timesFirst) {}

  /**
   * Measures models in turns.
   *
   * @param seconds total time for the turns of one model; each turn runs at least one pass
   * @param nanoTime a clock in nanoseconds
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

  /** Returns the median over all rounds except the warm-up round. */
  private static double median(IntToDoubleFunction ofRound) {
    double[] values = IntStream.range(1, ALL).mapToDouble(ofRound).toArray();
    Arrays.sort(values);
    return values[MEASURED / 2];
  }
}

package io.stillhouse.evaluate;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;

/**
 * Measures how many passes per second models compute, and how long a pass takes. Models take turns,
 * so that other load on the machine affects all of them alike. The first turn of each model is a
 * warm-up; rates are the median of the other turns, times are percentiles over all their passes.
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
   * @param p50 median time of a pass, in seconds
   * @param p95 the time that 95 % of the passes do not exceed, in seconds
   */
  public record Rate(double perSecond, double timesFirst, double p50, double p95) {}

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
    List<List<Long>> times = new ArrayList<>();
    models.forEach(model -> times.add(new ArrayList<>()));
    for (int round = 0; round < ALL; round++) {
      for (int m = 0; m < models.size(); m++) {
        List<Long> taken = times(models.get(m), turn, nanoTime);
        double all = taken.stream().mapToLong(Long::longValue).sum();
        rates[round][m] = taken.size() * NANOS / Math.max(1, all);
        if (round > 0) {
          times.get(m).addAll(taken);
        }
        turnDone.run();
      }
    }
    List<Rate> measured = new ArrayList<>();
    for (int m = 0; m < models.size(); m++) {
      int model = m;
      measured.add(
          new Rate(
              median(round -> rates[round][model]),
              median(round -> rates[round][model] / rates[round][0]),
              percentile(times.get(m), 0.5),
              percentile(times.get(m), 0.95)));
    }
    return measured;
  }

  /** Returns the time of each pass of a turn, in nanoseconds. */
  private static List<Long> times(Pass pass, long turn, LongSupplier nanoTime) throws IOException {
    long start = nanoTime.getAsLong();
    long before = start;
    List<Long> times = new ArrayList<>();
    do {
      pass.run();
      long now = nanoTime.getAsLong();
      times.add(now - before);
      before = now;
    } while (before - start < turn);
    return times;
  }

  /** Returns the smallest time that a share of all times does not exceed, in seconds. */
  private static double percentile(List<Long> times, double share) {
    long[] sorted = times.stream().mapToLong(Long::longValue).sorted().toArray();
    return sorted[(int) Math.ceil(share * sorted.length) - 1] / NANOS;
  }

  /** Returns the median over all rounds except the warm-up round. */
  private static double median(IntToDoubleFunction ofRound) {
    double[] values = IntStream.range(1, ALL).mapToDouble(ofRound).toArray();
    Arrays.sort(values);
    return values[MEASURED / 2];
  }
}

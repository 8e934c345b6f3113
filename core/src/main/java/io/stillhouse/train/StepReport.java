package io.stillhouse.train;

import io.stillhouse.loss.Term;
import java.io.Serializable;
import java.util.List;
import java.util.Map;

/**
 * One optimiser step, as progress lines and {@code metrics.jsonl} tell it.
 *
 * @param step counted from 1
 * @param steps of the whole run
 * @param loss the weighted sum of {@code terms}
 * @param terms unweighted means over the step's rows
 * @param optimiser learning rate and gradient norm
 * @param work tokens and time
 */
public record StepReport(
    long step, long steps, double loss, Map<Term, Double> terms, Optimiser optimiser, Work work)
    implements Serializable {

  /** Steps whose work is told together. */
  private static final int LOOKED_BACK = 20;

  /** Returns the newest of some steps, with the work of the last twenty. */
  public static StepReport lately(List<StepReport> reports) {
    Work sum = new Work(0, 0, 0);
    for (StepReport each :
        reports.subList(Math.max(0, reports.size() - LOOKED_BACK), reports.size())) {
      sum = sum.plus(each.work);
    }
    StepReport newest = reports.get(reports.size() - 1);
    return new StepReport(
        newest.step, newest.steps, newest.loss, newest.terms, newest.optimiser, sum);
  }

  /** The rate applied, and the global gradient norm before clipping. */
  public record Optimiser(double learningRate, double gradientNorm) implements Serializable {}

  /**
   * Real tokens of the step, its wall time and the part of it spent waiting for data, in seconds.
   */
  public record Work(long tokens, double seconds, double waitSeconds) implements Serializable {

    private Work plus(Work other) {
      return new Work(
          tokens + other.tokens, seconds + other.seconds, waitSeconds + other.waitSeconds);
    }

    /** Returns real tokens a second; 0 of a step that took no time. */
    public double tokensPerSecond() {
      return seconds == 0 ? 0 : tokens / seconds;
    }

    /** Returns the part of the time spent waiting for data, in 0..1. */
    public double waitShare() {
      return seconds == 0 ? 0 : waitSeconds / seconds;
    }
  }
}

package io.stillhouse.train;

import io.stillhouse.loss.Term;
import java.io.Serializable;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * The report of one optimizer step, for progress lines and {@code metrics.jsonl}.
 *
 * @param step number of the step, from 1
 * @param steps number of steps of the whole run
 * @param loss the weighted sum of {@code terms}
 * @param terms unweighted means over the rows of the step; a term is missing if no row has it
 * @param optimizer learning rate and gradient norm
 * @param work tokens and time
 * @param tokensSeen tokens without padding of all steps up to this one
 */
public record StepReport(
    long step,
    long steps,
    double loss,
    Map<Term, Double> terms,
    Optimizer optimizer,
    Work work,
    long tokensSeen)
    implements Serializable {

  /** Number of steps whose work is summed in progress lines. */
  private static final int WINDOW = 20;

  /**
   * Returns the newest report, with the summed work of the last twenty steps. A term that the
   * newest step does not have, such as hard labels if none of its rows has one, is that of the
   * latest of these steps that has it.
   */
  public static StepReport withRecentWork(List<StepReport> reports) {
    Work sum = new Work(0, 0, 0);
    Map<Term, Double> terms = new EnumMap<>(Term.class);
    for (StepReport each : reports.subList(Math.max(0, reports.size() - WINDOW), reports.size())) {
      sum = sum.plus(each.work);
      terms.putAll(each.terms);
    }
    StepReport newest = reports.get(reports.size() - 1);
    return new StepReport(
        newest.step, newest.steps, newest.loss, terms, newest.optimizer, sum, newest.tokensSeen);
  }

  /** Returns this report with another number of tokens seen. */
  public StepReport withTokensSeen(long tokens) {
    return new StepReport(step, steps, loss, terms, optimizer, work, tokens);
  }

  /** The learning rate, and the global gradient norm before clipping. */
  public record Optimizer(double learningRate, double gradientNorm) implements Serializable {}

  /**
   * The work of a step.
   *
   * @param tokens tokens without padding
   * @param seconds wall time
   * @param waitSeconds the part of the time spent waiting for rows
   */
  public record Work(long tokens, double seconds, double waitSeconds) implements Serializable {

    private Work plus(Work other) {
      return new Work(
          tokens + other.tokens, seconds + other.seconds, waitSeconds + other.waitSeconds);
    }

    /** Returns tokens per second, or 0 if no time was measured. */
    public double tokensPerSecond() {
      return seconds == 0 ? 0 : tokens / seconds;
    }

    /** Returns the share of the time spent waiting for rows, in 0..1. */
    public double waitShare() {
      return seconds == 0 ? 0 : waitSeconds / seconds;
    }
  }
}

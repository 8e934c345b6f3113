package io.stillhouse.jobs.train;

import io.stillhouse.loss.Term;
import io.stillhouse.train.StepReport;
import java.util.EnumMap;
import java.util.Map;

/** Step reports for tests. */
public final class Steps {
  private Steps() {}

  /** Returns a step of 10: loss {@code 10 / step}, 2,048 tokens in 4 s, a quarter of it waiting. */
  public static StepReport of(long step) {
    double loss = 10.0 / step;
    Map<Term, Double> terms = new EnumMap<>(Term.class);
    terms.put(Term.SOFT_LABEL, loss / 2);
    terms.put(Term.HARD_LABEL, loss / 4);
    return new StepReport(
        step,
        10,
        loss,
        terms,
        new StepReport.Optimizer(3e-5, 1.25),
        new StepReport.Work(2048, 4, 1),
        2048 * step);
  }
}

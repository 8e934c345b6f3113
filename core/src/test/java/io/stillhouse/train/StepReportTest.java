package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.loss.Term;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class StepReportTest {
  @Test
  void averagesSpeedAndWaitOverSeveralSteps() {
    StepReport quick = step(7, new StepReport.Work(100, 1, 0));
    StepReport waits = step(8, new StepReport.Work(100, 3, 2));
    StepReport both = StepReport.withRecentWork(List.of(quick, waits));
    assertThat(both.step()).isEqualTo(8);
    assertThat(both.steps()).isEqualTo(10);
    assertThat(both.work().tokensPerSecond()).isEqualTo(50);
    assertThat(both.work().waitShare()).isEqualTo(0.5);
    assertThat(both.tokensSeen()).isEqualTo(70);
  }

  @Test
  void stepWithoutDurationHasNoSpeed() {
    StepReport.Work none = new StepReport.Work(0, 0, 0);
    assertThat(none.tokensPerSecond()).isZero();
    assertThat(none.waitShare()).isZero();
  }

  @Test
  void termOfEarlierStepStandsForOneThatNewestLacks() {
    StepReport both = step(7, Map.of(Term.SOFT_LABEL, 1.0, Term.HARD_LABEL, 2.0));
    StepReport without = step(8, Map.of(Term.SOFT_LABEL, 0.5));

    assertThat(StepReport.withRecentWork(List.of(both, without)).terms())
        .isEqualTo(Map.of(Term.SOFT_LABEL, 0.5, Term.HARD_LABEL, 2.0));
  }

  private static StepReport step(long step, Map<Term, Double> terms) {
    return new StepReport(
        step, 10, 1, terms, new StepReport.Optimizer(1e-3, 1), new StepReport.Work(1, 1, 0), 0);
  }

  private static StepReport step(long step, StepReport.Work work) {
    return new StepReport(step, 10, 1, Map.of(), new StepReport.Optimizer(1e-3, 1), work, 70);
  }
}

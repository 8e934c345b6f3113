package io.stillhouse.jobs.train.student;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.train.Steps;
import io.stillhouse.train.StepReport;
import org.junit.jupiter.api.Test;

class HistoryTest {
  @Test
  void countsTokensOfAllSteps() {
    History history = History.empty();
    assertThat(history.tokensSeen()).isZero();
    history.record(Steps.of(1).withTokensSeen(0));
    history.record(Steps.of(2).withTokensSeen(0));
    assertThat(history.steps()).extracting(StepReport::tokensSeen).containsExactly(2048L, 4096L);
    assertThat(history.tokensSeen()).isEqualTo(4096);
  }
}

package io.stillhouse.jobs.train.student;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class FaultsTest {
  @Test
  void studentThatStartsAtStepZeroIsNotResumed() {
    assertThat(Faults.of(Map.of(), Map.of("new", 0L, "old", 40L)).resumedAtStep())
        .containsExactly(Map.entry("old", 40L));
  }

  @Test
  void addsFailedTasksByReason() {
    Faults first = new Faults(Map.of("a", 1, "b", 2), Map.of("old", 40L));
    assertThat(first.plus(Map.of("b", 3, "c", 4)))
        .isEqualTo(new Faults(Map.of("a", 1, "b", 5, "c", 4), Map.of("old", 40L)));
  }
}

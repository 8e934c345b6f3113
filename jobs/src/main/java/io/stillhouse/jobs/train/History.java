package io.stillhouse.jobs.train;

import io.stillhouse.train.StepReport;
import java.util.ArrayList;
import java.util.List;

/** What is told of a run so far; it grows, and lies beside each checkpoint. */
record History(List<StepReport> steps, List<RoundReport> rounds) {
  static History empty() {
    return new History(new ArrayList<>(), new ArrayList<>());
  }

  /** Takes another one's place. */
  void become(History other) {
    steps.clear();
    steps.addAll(other.steps);
    rounds.clear();
    rounds.addAll(other.rounds);
  }
}

package io.stillhouse.jobs.train;

import io.stillhouse.train.StepReport;
import java.util.ArrayList;
import java.util.List;

/** What is told of a run so far; it grows, and lies beside each checkpoint. */
record History(List<StepReport> steps, List<RoundReport> rounds) {
  static History empty() {
    return new History(new ArrayList<>(), new ArrayList<>());
  }

  /** Adds what came after. */
  void add(History later) {
    steps.addAll(later.steps);
    rounds.addAll(later.rounds);
  }

  /** Returns what came after so many steps and rounds. */
  History since(int stepsBefore, int roundsBefore) {
    return new History(
        steps.subList(stepsBefore, steps.size()), rounds.subList(roundsBefore, rounds.size()));
  }

  /** Takes another one's place. */
  void become(History other) {
    steps.clear();
    rounds.clear();
    add(other);
  }
}

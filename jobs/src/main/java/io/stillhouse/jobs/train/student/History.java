package io.stillhouse.jobs.train.student;

import io.stillhouse.train.StepReport;
import java.util.ArrayList;
import java.util.List;

/** What is told of a run so far; it grows, and lies beside each checkpoint. */
public record History(List<StepReport> steps, List<RoundReport> rounds) {
  public static History empty() {
    return new History(new ArrayList<>(), new ArrayList<>());
  }

  /** Adds what came after; what is told twice, by a run that was killed and one after it, once. */
  void add(History later) {
    long step = steps.isEmpty() ? 0 : steps.get(steps.size() - 1).step();
    later.steps.stream().filter(report -> report.step() > step).forEach(steps::add);
    later.rounds.stream().filter(report -> report.round() >= rounds.size()).forEach(rounds::add);
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

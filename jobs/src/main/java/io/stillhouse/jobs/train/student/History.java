package io.stillhouse.jobs.train.student;

import io.stillhouse.train.StepReport;
import java.util.ArrayList;
import java.util.List;

/** The steps and rounds of a run so far; each checkpoint writes what was added since the last. */
public record History(List<StepReport> steps, List<RoundReport> rounds) {
  public static History empty() {
    return new History(new ArrayList<>(), new ArrayList<>());
  }

  /**
   * Adds a later part. Steps and rounds that a killed run and its successor both wrote are added
   * once.
   */
  void add(History later) {
    long step = steps.isEmpty() ? 0 : steps.get(steps.size() - 1).step();
    later.steps.stream().filter(report -> report.step() > step).forEach(steps::add);
    later.rounds.stream().filter(report -> report.round() >= rounds.size()).forEach(rounds::add);
  }

  /** Adds the next step, and counts its tokens among those seen. */
  public void record(StepReport step) {
    steps.add(step.withTokensSeen(tokensSeen() + step.work().tokens()));
  }

  /** Returns the number of tokens of all steps. */
  public long tokensSeen() {
    return steps.isEmpty() ? 0 : steps.get(steps.size() - 1).tokensSeen();
  }

  /** Returns what was added after the given numbers of steps and rounds. */
  History since(int stepsBefore, int roundsBefore) {
    return new History(
        steps.subList(stepsBefore, steps.size()), rounds.subList(roundsBefore, rounds.size()));
  }

  /** Replaces the content of this history. */
  void replaceBy(History other) {
    steps.clear();
    rounds.clear();
    add(other);
  }
}

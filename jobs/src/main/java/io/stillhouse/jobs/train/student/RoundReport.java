package io.stillhouse.jobs.train.student;

import java.io.Serializable;
import java.util.List;

/**
 * The report of one round, which {@code rounds.jsonl} holds.
 *
 * @param round from 0
 * @param leftOut the workers whose difference was not finite
 * @param tokens of the workers whose difference was finite
 * @param computeSeconds of the slowest worker's steps
 * @param seconds from the broadcast to the sum, on the driver
 */
public record RoundReport(
    int round, List<Integer> leftOut, long tokens, double computeSeconds, double seconds)
    implements Serializable {
  public RoundReport {
    leftOut = List.copyOf(leftOut);
  }
}

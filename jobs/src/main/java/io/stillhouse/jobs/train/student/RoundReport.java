package io.stillhouse.jobs.train.student;

import java.io.Serializable;
import java.util.List;

/**
 * The report of one round, as written to {@code rounds.jsonl}.
 *
 * @param round the number of the round, from 0
 * @param leftOut the workers whose difference was not finite
 * @param tokens the number of tokens of the workers whose difference was finite
 * @param computeSeconds the duration of the slowest worker's steps
 * @param seconds the time from the broadcast to the sum, on the driver
 */
public record RoundReport(
    int round, List<Integer> leftOut, long tokens, double computeSeconds, double seconds)
    implements Serializable {
  public RoundReport {
    leftOut = List.copyOf(leftOut);
  }
}

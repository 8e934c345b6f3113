package io.stillhouse.jobs.plan;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a recipe is foretold to cost.
 *
 * @param probe what was measured
 * @param disk what the cache takes
 * @param hours of the session's machines, each command's start-up counted
 * @param money in the currency of the recipe's prices
 * @param breakEven where caching and online training cost the same
 * @param limit what most of the money goes to
 * @param choices the ways to keep the targets, the cheapest first
 * @param unread columns that the recipe stores and its student does not read
 */
public record PlanResult(
    Probe probe,
    Disk disk,
    Hours hours,
    Money money,
    BreakEven breakEven,
    String limit,
    List<Choices.Choice> choices,
    List<String> unread,
    String verdict) {

  /** Returns the result for people. */
  public String table() {
    return PlanTable.of(this);
  }

  /**
   * What was measured.
   *
   * @param corpus its sums
   * @param corpusBasis how they came about
   * @param seconds that each phase of the probe took
   * @param diskBytesPerSecond null where it cannot be measured
   */
  record Probe(
      Lengths corpus,
      String corpusBasis,
      Map<String, Double> seconds,
      double teacherTokensPerSecond,
      double teacherProbedTokens,
      List<Student> students,
      double readBytesPerSecond,
      @Nullable Double diskBytesPerSecond) {}

  /** A student or its baseline: tokens a second of its steps, and steps of one training. */
  record Student(String name, double tokensPerSecond, double steps) {}

  /**
   * What the cache takes.
   *
   * @param bytes without the teacher's copy
   * @param teacherBytes of the copy
   * @param freeBytes where it would lie
   */
  record Disk(
      double bytes,
      double bytesPerToken,
      double teacherBytes,
      double freeBytes,
      int files,
      int shards) {}

  /** Hours; of training, all students together. */
  record Hours(double cache, double cachedTraining, double onlineTraining) {}

  /** Prices both ways. */
  record Money(double cached, double online, double storage) {}

  /**
   * Reads of each token, and bytes a token; the recipe's own beside them.
   *
   * @param reads null where no number of reads pays for the cache
   */
  record BreakEven(
      @Nullable Double reads,
      double readsOfRecipe,
      double bytesPerToken,
      double bytesPerTokenOfStudent) {}
}

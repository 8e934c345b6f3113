package io.stillhouse.jobs.plan;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a recipe is predicted to cost.
 *
 * @param probe what was measured
 * @param disk what the cache takes
 * @param hours of the session's machines, including each command's start-up
 * @param money in the currency of the recipe's prices
 * @param breakEven where caching and online training cost the same
 * @param targets the ways to store them
 * @param verdict whether to cache, and the figures that decide it
 */
public record PlanResult(
    Probe probe,
    Disk disk,
    Hours hours,
    Money money,
    BreakEven breakEven,
    Targets targets,
    String verdict) {

  /** Returns the result as a table for a terminal. */
  public String table() {
    return PlanTable.of(this);
  }

  /**
   * What was measured.
   *
   * @param corpus sums over the rows of the corpus
   * @param corpusBasis how they were determined
   * @param seconds that each phase of the probe took
   */
  record Probe(
      Lengths corpus,
      String corpusBasis,
      Map<String, Double> seconds,
      Teacher teacher,
      List<Student> students,
      Reading reading) {}

  /** The teacher's speed, and the number of tokens that it was measured on. */
  record Teacher(double tokensPerSecond, double probedTokens) {}

  /** A student or its baseline: tokens a second of its steps, and steps of one training. */
  record Student(String name, double tokensPerSecond, double steps) {}

  /**
   * How fast targets are read.
   *
   * @param bytesPerSecond of reading and decoding from the page cache
   * @param diskBytesPerSecond of the disk alone; null if it cannot be measured
   */
  record Reading(double bytesPerSecond, @Nullable Double diskBytesPerSecond) {}

  /**
   * What the cache takes.
   *
   * @param bytes without the copy of the teacher
   * @param teacherBytes of that copy
   * @param freeBytes on the disk of the cache
   */
  record Disk(
      double bytes,
      double bytesPerToken,
      double teacherBytes,
      double freeBytes,
      int files,
      int shards) {}

  /** Hours; training hours are those of all students together. */
  record Hours(double cache, double cachedTraining, double onlineTraining) {}

  /**
   * The cost of both ways.
   *
   * @param cached of caching and of training from the cache
   * @param storage the part of {@code cached} that is storage
   * @param limit what most of {@code cached} is spent on
   */
  record Money(double cached, double online, double storage, String limit) {}

  /**
   * Reads of each token and bytes a token, at break-even and of the recipe.
   *
   * @param reads null if no number of reads pays for the cache
   */
  record BreakEven(
      @Nullable Double reads,
      double readsOfRecipe,
      double bytesPerToken,
      double bytesPerTokenOfStudent) {}

  /**
   * How targets can be stored.
   *
   * @param choices cheapest first
   * @param unread columns that the recipe stores and its student does not read
   */
  record Targets(List<Choices.Choice> choices, List<String> unread) {}
}

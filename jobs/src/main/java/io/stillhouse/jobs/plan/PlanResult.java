package io.stillhouse.jobs.plan;

import static io.stillhouse.error.Text.format;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The predicted cost of a recipe.
 *
 * @param probe what was measured
 * @param disk the size of the cache
 * @param hours hours of the session's machines, including each command's start-up
 * @param cost the cost in the currency of the recipe's prices
 * @param breakEven where caching and online training cost the same
 * @param targets the ways to store targets
 * @param verdict whether to cache, and the figures that decide it
 */
public record PlanResult(
    Probe probe,
    Disk disk,
    Hours hours,
    Cost cost,
    BreakEven breakEven,
    Targets targets,
    String verdict) {

  /** Returns the size and the time of the recipe in one line. */
  public String summary() {
    return format(
        "%,.0f rows, %,.0f tokens; the cache takes %,.1f MB; about %,.1f minutes for the cache and"
            + " %,.1f for training",
        probe.corpus().rows(),
        probe.corpus().tokens(),
        disk.bytes() / 1e6,
        60 * hours.cache(),
        60 * hours.cachedTraining());
  }

  /** Returns the result as a table for a terminal. */
  public String table() {
    return PlanTable.of(this);
  }

  /**
   * What was measured.
   *
   * @param corpus sums over the rows of the corpus
   * @param corpusBasis how they were determined
   * @param seconds seconds that each phase of the probe took
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

  /** A student or its baseline: tokens per second of its steps, and steps of one training. */
  record Student(String name, double tokensPerSecond, double steps) {}

  /**
   * How fast targets are read.
   *
   * @param bytesPerSecond bytes per second of reading and decoding from the page cache
   * @param diskBytesPerSecond bytes per second of the disk alone; null if it cannot be measured
   */
  record Reading(double bytesPerSecond, @Nullable Double diskBytesPerSecond) {}

  /**
   * The size of the cache.
   *
   * @param bytes bytes of the cache without the copy of the teacher
   * @param teacherBytes bytes of that copy
   * @param freeBytes free bytes on the disk of the cache
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
   * The cost of caching and of online training.
   *
   * @param cached cost of caching and of training from the cache
   * @param storage the part of {@code cached} that is storage
   * @param limit the largest part of {@code cached}
   */
  record Cost(double cached, double online, double storage, String limit) {}

  /**
   * Reads of each token and bytes per token, at break-even and for the recipe.
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

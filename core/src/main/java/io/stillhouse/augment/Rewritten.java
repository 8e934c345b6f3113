package io.stillhouse.augment;

import io.stillhouse.text.Draws;
import java.util.SplittableRandom;

/**
 * A copy of a text.
 *
 * @param text what it reads
 * @param words how many words it has
 * @param replaced how many of these were replaced
 */
public record Rewritten(String text, int words, int replaced) {

  /**
   * Which copy of which text of a row.
   *
   * @param copy from 1
   * @param text 0 for the first text of a pair, 1 for the second
   */
  public record Place(int copy, int text) {
    SplittableRandom draws(long seed, String rowKey) {
      return Draws.of(seed, rowKey, copy, text);
    }
  }
}

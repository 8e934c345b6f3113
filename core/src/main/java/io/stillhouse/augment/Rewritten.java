package io.stillhouse.augment;

import io.stillhouse.text.KeyedRandom;
import java.util.SplittableRandom;

/**
 * A copy of a text.
 *
 * @param text the text of the copy
 * @param words number of words in the copy
 * @param replaced number of those words that were replaced
 */
public record Rewritten(String text, int words, int replaced) {

  /**
   * Identifies one copy of one text of a row.
   *
   * @param copy the number of the copy, from 1
   * @param text 0 for the first text of a pair, 1 for the second
   */
  public record CopyId(int copy, int text) {
    SplittableRandom draws(long seed, String rowKey) {
      return KeyedRandom.of(seed, rowKey, copy, text);
    }
  }
}

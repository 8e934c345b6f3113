package io.stillhouse.augment;

import static io.stillhouse.error.Text.format;

import java.io.Serializable;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * The words of a corpus by part of speech. Words are drawn with probability proportional to their
 * count.
 */
public final class WordsByTag implements Serializable {
  private static final long serialVersionUID = 1L;

  private final TreeMap<String, Words> byTag = new TreeMap<>();

  /** Sorted words with their cumulative counts. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Words(String[] words, long[] cumulativeCounts) implements Serializable {}

  /**
   * @param counts the count of each word, by tag
   */
  public WordsByTag(Map<String, Map<String, Long>> counts) {
    counts.forEach(
        (tag, words) -> {
          TreeMap<String, Long> sorted = new TreeMap<>(words);
          long[] upTo = sorted.values().stream().mapToLong(Long::longValue).toArray();
          Arrays.parallelPrefix(upTo, Long::sum);
          byTag.put(tag, new Words(sorted.keySet().toArray(String[]::new), upTo));
        });
  }

  /** Draws a word that has the given tag in the corpus. */
  String draw(String tag, SplittableRandom random) {
    Words words = byTag.get(tag);
    if (words == null) {
      throw new IllegalArgumentException(
          format("no word of the corpus has the tag %s; its tags are %s", tag, byTag.keySet()));
    }
    long drawn = random.nextLong(words.cumulativeCounts()[words.cumulativeCounts().length - 1]);
    int at = Arrays.binarySearch(words.cumulativeCounts(), drawn + 1);
    return words.words()[at >= 0 ? at : -at - 1];
  }
}

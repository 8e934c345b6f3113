package io.stillhouse.augment;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Makes copies of a text with words replaced by similar ones (TinyBERT, Jiao et al. 2020,
 * arXiv:1909.10351, Algorithm 1). Each word is replaced with a given probability by one of its
 * candidates, all equally likely.
 *
 * <p>The choice depends only on the seed, the row's key, the copy, the text and the word. As in the
 * released code, the replacement of a capitalized word is capitalized.
 */
public final class WordReplacement {
  private final double probability;
  private final long seed;

  /**
   * @param probability probability of replacing a word that has candidates, in 0..1
   * @param seed the run's seed
   */
  public WordReplacement(double probability, long seed) {
    if (!(probability >= 0 && probability <= 1)) {
      throw new IllegalArgumentException("probability must be in 0..1, but is " + probability);
    }
    this.probability = probability;
    this.seed = seed;
  }

  /**
   * Returns one copy.
   *
   * @param words the words that may be replaced, in order
   * @param candidates for each of {@code words}; a word without candidates is not replaced
   * @param rowKey the row's key
   * @param copyId the copy and the text of the row
   */
  public Rewritten copy(
      String text,
      List<Span> words,
      List<List<String>> candidates,
      String rowKey,
      Rewritten.CopyId copyId) {
    if (words.isEmpty()) {
      return new Rewritten(text, 0, 0);
    }
    SplittableRandom random = copyId.draws(seed, rowKey);
    List<@Nullable String> replacements = new ArrayList<>(words.size());
    int replaced = 0;
    for (int word = 0; word < words.size(); word++) {
      SplittableRandom wordRandom = random.split(); // draws for one word must not affect another
      List<String> choice = candidates.get(word);
      if (choice.isEmpty() || wordRandom.nextDouble() >= probability) {
        replacements.add(null);
        continue;
      }
      replacements.add(
          withCaseOf(choice.get(wordRandom.nextInt(choice.size())), words.get(word).of(text)));
      replaced++;
    }
    Span last = words.get(words.size() - 1);
    return new Rewritten(
        text.substring(0, words.get(0).start())
            + Span.replace(text, words, replacements)
            + text.substring(last.end()),
        words.size(),
        replaced);
  }

  private static String withCaseOf(String candidate, String word) {
    boolean title =
        Character.isUpperCase(word.codePointAt(0))
            && word.codePoints().skip(1).noneMatch(Character::isUpperCase);
    if (!title) {
      return candidate;
    }
    int rest = candidate.offsetByCodePoints(0, 1);
    return new StringBuilder()
        .appendCodePoint(Character.toTitleCase(candidate.codePointAt(0)))
        .append(candidate, rest, candidate.length())
        .toString();
  }
}

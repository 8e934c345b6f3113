package io.stillhouse.augment;

import io.stillhouse.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Makes copies of a text by rules (Tang et al. 2019, arXiv:1903.12136, section 3.3). Each word has
 * one draw: it becomes [MASK], or a word of the same part of speech as the corpus has them, or
 * stays; the first two exclude each other. Then, with a probability, all of the copy is dropped but
 * 1 to 5 words in a row. A drawn word may be the one that was there.
 *
 * <p>Draws depend on the seed, the row's key, the copy, the text and the word alone.
 */
public final class RuleAugmentation {
  private static final int LONGEST_KEPT = 5;

  private final Probabilities probabilities;
  private final WordsByTag corpus;
  private final long seed;

  /**
   * What happens how often, each in 0..1, the first two together as well.
   *
   * @param mask that a word becomes [MASK]
   * @param swap that it becomes another of its part of speech
   * @param ngram that a few words in a row are kept alone
   */
  public record Probabilities(double mask, double swap, double ngram)
      implements java.io.Serializable {
    public Probabilities {
      if (!(mask >= 0 && swap >= 0 && mask + swap <= 1 && ngram >= 0 && ngram <= 1)) {
        throw new IllegalArgumentException(
            "no probabilities: mask %s, swap %s, ngram %s".formatted(mask, swap, ngram));
      }
    }
  }

  public RuleAugmentation(Probabilities probabilities, WordsByTag corpus, long seed) {
    this.probabilities = probabilities;
    this.corpus = corpus;
    this.seed = seed;
  }

  /** Returns whether a copy changes a text of a pair: the first alone, the second alone, both. */
  public static boolean changes(Rewritten.Place place) {
    int turn = (place.copy() - 1) % 3;
    return turn == 2 || turn == place.text();
  }

  /**
   * Returns one copy.
   *
   * @param words of the text, in order
   * @param tags the part of speech of each
   */
  public Rewritten copy(
      String text, List<Span> words, List<String> tags, String rowKey, Rewritten.Place place) {
    if (words.isEmpty()) {
      return new Rewritten(text, 0, 0);
    }
    SplittableRandom random = place.draws(seed, rowKey);
    List<@Nullable String> replacements = new ArrayList<>(words.size());
    for (String tag : tags) {
      replacements.add(draw(tag, random.split()));
    }
    if (random.nextDouble() >= probabilities.ngram()) {
      String middle = Span.replaced(text, words, replacements);
      return new Rewritten(
          text.substring(0, words.get(0).start())
              + middle
              + text.substring(words.get(words.size() - 1).end()),
          words.size(),
          replaced(text, words, replacements));
    }
    int kept = Math.min(words.size(), 1 + random.nextInt(LONGEST_KEPT));
    int from = random.nextInt(words.size() - kept + 1);
    List<Span> some = words.subList(from, from + kept);
    List<@Nullable String> others = replacements.subList(from, from + kept);
    return new Rewritten(Span.replaced(text, some, others), kept, replaced(text, some, others));
  }

  private static int replaced(String text, List<Span> words, List<@Nullable String> replacements) {
    int replaced = 0;
    for (int word = 0; word < words.size(); word++) {
      String replacement = replacements.get(word);
      replaced += replacement == null || replacement.equals(words.get(word).of(text)) ? 0 : 1;
    }
    return replaced;
  }

  private @Nullable String draw(String tag, SplittableRandom random) {
    double draw = random.nextDouble();
    if (draw < probabilities.mask()) {
      return Tokenizer.MASK;
    }
    return draw < probabilities.mask() + probabilities.swap() ? corpus.draw(tag, random) : null;
  }
}

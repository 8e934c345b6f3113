package io.stillhouse.augment;

import static io.stillhouse.error.Text.format;

import io.stillhouse.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Makes copies of a text by rules (Tang et al. 2019, arXiv:1903.12136, section 3.3). Each word is
 * masked, replaced by a word of the same part of speech that is drawn by its frequency in the
 * corpus, or left unchanged; one draw decides which. Then, with a given probability, only an n-gram
 * of 1 to 5 words is kept. A replacement may equal the original word.
 *
 * <p>Random draws depend only on the seed, the row's key, the copy, the text and the word.
 */
public final class RuleAugmentation {
  private static final int MAX_KEPT = 5;

  private final Probabilities probabilities;
  private final WordsByTag corpus;
  private final long seed;

  /**
   * The probability of each change, in 0..1; {@code mask + swap} must be at most 1.
   *
   * @param mask probability of replacing a word with [MASK]
   * @param swap probability of replacing a word with one of the same part of speech
   * @param ngram probability of keeping only a few consecutive words
   */
  public record Probabilities(double mask, double swap, double ngram)
      implements java.io.Serializable {
    public Probabilities {
      if (!(mask >= 0 && swap >= 0 && mask + swap <= 1 && ngram >= 0 && ngram <= 1)) {
        throw new IllegalArgumentException(
            format(
                "probabilities must be in 0..1, and so must mask + swap, but mask is %s, swap %s,"
                    + " ngram %s",
                mask, swap, ngram));
      }
    }
  }

  public RuleAugmentation(Probabilities probabilities, WordsByTag corpus, long seed) {
    this.probabilities = probabilities;
    this.corpus = corpus;
    this.seed = seed;
  }

  /**
   * Returns whether a copy changes the given text of a pair. Copies change the first text, the
   * second text, and both, in turn.
   */
  public static boolean changes(Rewritten.CopyId copyId) {
    int turn = (copyId.copy() - 1) % 3;
    return turn == 2 || turn == copyId.text();
  }

  /**
   * Returns one copy.
   *
   * @param words the words of the text, in order
   * @param tags the part of speech of each
   */
  public Rewritten copy(
      String text, List<Span> words, List<String> tags, String rowKey, Rewritten.CopyId copyId) {
    if (words.isEmpty()) {
      return new Rewritten(text, 0, 0);
    }
    SplittableRandom random = copyId.draws(seed, rowKey);
    List<@Nullable String> replacements = new ArrayList<>(words.size());
    for (String tag : tags) {
      replacements.add(draw(tag, random.split()));
    }
    if (random.nextDouble() >= probabilities.ngram()) {
      String middle = Span.replace(text, words, replacements);
      return new Rewritten(
          text.substring(0, words.get(0).start())
              + middle
              + text.substring(words.get(words.size() - 1).end()),
          words.size(),
          replace(text, words, replacements));
    }
    int kept = Math.min(words.size(), 1 + random.nextInt(MAX_KEPT));
    int from = random.nextInt(words.size() - kept + 1);
    List<Span> some = words.subList(from, from + kept);
    List<@Nullable String> others = replacements.subList(from, from + kept);
    return new Rewritten(Span.replace(text, some, others), kept, replace(text, some, others));
  }

  private static int replace(String text, List<Span> words, List<@Nullable String> replacements) {
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

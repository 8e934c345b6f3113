package io.stillhouse.jobs.augment;

import io.stillhouse.augment.ReplaceableWords;
import io.stillhouse.augment.RuleAugmentation;
import io.stillhouse.augment.WordsByTag;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.spec.Precision;
import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import org.apache.spark.broadcast.Broadcast;
import org.jspecify.annotations.Nullable;

/** How copies are made. Instances are sent to the tasks. */
sealed interface Augmentation extends Serializable
    permits Augmentation.MaskedLm, Augmentation.Rules {

  /** Makes copies of rows in one task. Not thread-safe. */
  interface Augmenter {
    /**
     * Returns the copies of each row, in the order of the rows; null for a row for which the output
     * of the model is not finite.
     */
    List<@Nullable Copies> of(List<SourceRow> rows) throws IOException;
  }

  /**
   * The copies of one row.
   *
   * @param texts texts of each copy, in order; they may be equal
   * @param words number of words of all copies
   * @param replaced number of those words that were replaced
   * @param maskedWords number of words for which the masked LM was evaluated
   */
  record Copies(List<Texts> texts, long words, long replaced, long maskedWords) {}

  /** The text of a row, and the second text of a pair or null. */
  record Texts(String text, @Nullable String pair) {
    static Texts of(SourceRow row) {
      return new Texts(row.text(), row.pair());
    }
  }

  /** The number of copies of each row, and the seed. */
  record Draws(int copies, long seed) implements Serializable {}

  /** Opens an augmenter in a task. */
  Augmenter open(Draws draws) throws IOException;

  /** Returns the number of rows that an augmenter processes at once. */
  int rowsAtOnce();

  /** Returns the maximum number of rows of a task. */
  int rowsOfPart();

  /**
   * Replaces words with words that a masked LM predicts.
   *
   * @param model Hugging Face directory
   * @param vectors file of word vectors; empty for the model's own, or {@link #NO_VECTORS}
   * @param choice which words are replaced
   * @param pass how the model is evaluated
   */
  record MaskedLm(String model, String vectors, Choice choice, Pass pass) implements Augmentation {
    /** Words of several pieces are masked like other words. */
    static final String NO_VECTORS = "none";

    /** The text that the model reads to predict a word. */
    enum ModelInput {
      MASKED_TEXT,
      MASKED_TEXT_AND_ORIGINAL
    }

    /**
     * How words are replaced.
     *
     * @param candidates number of candidates for each word
     * @param probability probability of replacing a word
     * @param stops how stop words are treated
     */
    record Choice(int candidates, double probability, ReplaceableWords.Stops stops)
        implements Serializable {}

    /**
     * How the model is evaluated.
     *
     * @param input the text that the model reads
     * @param maxLength maximum number of tokens of an input
     * @param tokensPerBatch maximum number of padded tokens in a batch
     */
    record Pass(
        ModelInput input, int maxLength, int tokensPerBatch, Precision precision, int threads)
        implements Serializable {}

    @Override
    public Augmenter open(Draws draws) throws IOException {
      return new MaskedLmAugmenter(this, draws);
    }

    /** Returns enough rows to fill several batches. */
    @Override
    public int rowsAtOnce() {
      return 32;
    }

    /** Returns as many sentences as BERT-base processes in one or two minutes on one core. */
    @Override
    public int rowsOfPart() {
      return 512;
    }
  }

  /** Masks words, swaps words and keeps n-grams. */
  record Rules(RuleAugmentation.Probabilities probabilities, Broadcast<WordsByTag> corpus)
      implements Augmentation {
    @Override
    public Augmenter open(Draws draws) {
      return new RuleAugmenter(
          new RuleAugmentation(probabilities, corpus.value(), draws.seed()), draws.copies());
    }

    @Override
    public int rowsAtOnce() {
      return 256;
    }

    @Override
    public int rowsOfPart() {
      return 8192;
    }
  }
}

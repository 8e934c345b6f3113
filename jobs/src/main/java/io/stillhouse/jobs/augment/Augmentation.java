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

/** How copies are made: what travels to the tasks. */
sealed interface Augmentation extends Serializable
    permits Augmentation.MaskedLm, Augmentation.Rules {

  /** Makes the copies of rows, in one task. */
  interface Augmenter {
    /** Returns the copies of each row, in the order of the rows. */
    List<Copies> of(List<SourceRow> rows) throws IOException;
  }

  /**
   * The copies of one row.
   *
   * @param texts of each copy, in order; equal ones among them
   * @param words of all copies
   * @param replaced those of them that another stands for
   * @param computed words that the masked LM was asked for
   */
  record Copies(List<Texts> texts, long words, long replaced, long computed) {}

  /** A text, and the second one of a pair or null. */
  record Texts(String text, String pair) {
    static Texts of(SourceRow row) {
      return new Texts(row.text(), row.pair());
    }
  }

  /** How often, and from what. */
  record Draws(int copies, long seed) implements Serializable {}

  Augmenter open(Draws draws) throws IOException;

  /** Returns how many rows are handed to an augmenter at once. */
  int rowsAtOnce();

  /** Returns how many rows a task takes at most. */
  int rowsOfPart();

  /**
   * Words replaced by a masked LM's.
   *
   * @param model Hugging Face directory
   * @param vectors file of word vectors, empty for the model's own, or {@link #NO_VECTORS}
   * @param choice of words
   * @param pass how the model computes
   */
  record MaskedLm(String model, String vectors, Choice choice, Pass pass) implements Augmentation {
    /** Words of several pieces are masked like others. */
    static final String NO_VECTORS = "none";

    /** What the model reads to say what is likely in a word's place. */
    enum ColumnSelection {
      MASKED_TEXT,
      MASKED_TEXT_AND_ORIGINAL
    }

    /** Which words are replaced, how often, and from how many candidates. */
    record Choice(int candidates, double probability, ReplaceableWords.Stops stops)
        implements Serializable {}

    /** What the model reads, at most how much; padded tokens of a batch, precision, threads. */
    record Pass(
        ColumnSelection reads, int maxLength, int tokensPerBatch, Precision precision, int threads)
        implements Serializable {}

    @Override
    public Augmenter open(Draws draws) throws IOException {
      return new MaskedLmAugmenter(this, draws);
    }

    /** Their words fill some batches. */
    @Override
    public int rowsAtOnce() {
      return 32;
    }

    /** A minute or two of BERT-base on a core, where rows are sentences. */
    @Override
    public int rowsOfPart() {
      return 512;
    }
  }

  /** Words masked and swapped, n-grams kept. */
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

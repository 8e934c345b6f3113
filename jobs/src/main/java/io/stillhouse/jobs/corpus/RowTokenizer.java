package io.stillhouse.jobs.corpus;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.Encoded;
import io.stillhouse.text.LabelCodec;
import io.stillhouse.text.Masking;
import io.stillhouse.text.Pairing;
import io.stillhouse.text.Segment;
import io.stillhouse.text.Segmenter;
import io.stillhouse.text.Tokenizer;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Converts rows of text into rows of token ids: splits or pairs texts, truncates them, reads
 * labels, and masks tokens for a masked LM. It is sent to the tasks; each executor opens the
 * tokenizer once.
 *
 * @param model Hugging Face directory with the tokenizer
 * @param labels how labels are read; null if rows have none
 * @param cut how texts are split
 * @param mask how tokens are masked; null unless the model is a masked LM
 */
public record RowTokenizer(String model, @Nullable Labels labels, Cut cut, @Nullable Mask mask)
    implements Serializable {
  private static final int BATCH_ROWS = 256;

  /** The task and class names of a head; {@link Head} is not serializable. */
  record Labels(Task task, List<String> names) implements Serializable {
    private LabelCodec codec() {
      return LabelCodec.of(new Head(task, names));
    }
  }

  /** How a text is converted to rows of at most {@code maxLength} tokens. */
  public record Cut(Segmenter.Mode mode, Segmenter.TooLong tooLong, int maxLength)
      implements Serializable {}

  /**
   * How tokens are masked.
   *
   * @param probability share of the tokens that are masked
   * @param variants number of differently masked copies of each row
   * @param seed seed for masking
   */
  public record Mask(double probability, int variants, long seed) implements Serializable {
    /** Returns a mask with the probability that a recipe sets. */
    public static Mask of(Settings settings, int variants, long seed) {
      return new Mask(settings.get(Options.MASK_PROBABILITY), variants, seed);
    }
  }

  /**
   * Returns the tokenizer for the rows of a recipe's corpus.
   *
   * @param model Hugging Face directory with the tokenizer
   * @param head the head that the rows are for: it determines whether labels are read and tokens
   *     masked
   * @param mask how tokens are masked if the head is a masked-LM head
   */
  public static RowTokenizer of(
      Settings settings, String model, Head head, CorpusSpec spec, Mask mask) {
    boolean labelled = head.task().pooled() && Recipe.labelled(settings);
    return new RowTokenizer(
        model,
        labelled ? new Labels(head.task(), head.labels()) : null,
        cut(settings, spec),
        head.task() == Task.MASKED_LM ? mask : null);
  }

  /**
   * Returns how a recipe splits texts. By default prose is split into windows, and rows of a table
   * are truncated.
   */
  public static Cut cut(Settings settings, CorpusSpec spec) {
    String segment = settings.get(Options.CORPUS_SEGMENT);
    boolean prose = spec.columns().text() == null && spec.columns().pair() == null;
    Segmenter.Mode mode =
        segment.equals("auto")
            ? prose ? Segmenter.Mode.WINDOWS : Segmenter.Mode.ROW
            : Segmenter.Mode.valueOf(segment.toUpperCase(Locale.ROOT));
    String tooLong = settings.get(Options.CORPUS_TOO_LONG);
    Segmenter.TooLong policy =
        tooLong.equals("auto")
            ? prose ? Segmenter.TooLong.SPLIT : Segmenter.TooLong.TRUNCATE
            : Segmenter.TooLong.valueOf(tooLong.toUpperCase(Locale.ROOT));
    return new Cut(mode, policy, settings.get(Options.MAX_LENGTH));
  }

  /** Tokenizes the rows of a partition lazily, a few hundred at a time. */
  public Iterator<InputRow> tokenize(Iterator<SourceRow> rows) throws IOException {
    Opened opened = new Opened(this, Models.tokenizer(model));
    return new Iterator<>() {
      private Iterator<InputRow> ready = List.<InputRow>of().iterator();

      @Override
      public boolean hasNext() {
        while (!ready.hasNext() && rows.hasNext()) {
          List<SourceRow> batch = new ArrayList<>(BATCH_ROWS);
          while (rows.hasNext() && batch.size() < BATCH_ROWS) {
            batch.add(rows.next());
          }
          ready = opened.tokenize(batch).iterator();
        }
        return ready.hasNext();
      }

      @Override
      public InputRow next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        return ready.next();
      }
    };
  }

  /** The tokenizer and its helpers in one task. */
  private static final class Opened {
    private final Cut cut;
    private final Tokenizer tokenizer;
    private final Segmenter segmenter;
    private final Pairing pairing;
    private final @Nullable LabelCodec labels;
    private final boolean labelNeeded;
    private final @Nullable Masking masking;
    private final int variants;

    Opened(RowTokenizer spec, Tokenizer tokenizer) {
      this.cut = spec.cut;
      this.tokenizer = tokenizer;
      this.segmenter = new Segmenter(cut.mode(), cut.tooLong(), cut.maxLength());
      this.pairing = new Pairing(tokenizer.clsId(), tokenizer.sepId(), cut.maxLength());
      this.labels = spec.labels == null ? null : spec.labels.codec();
      // A row without labels of a multi-label task belongs to no class.
      this.labelNeeded = spec.labels != null && spec.labels.task() != Task.MULTI_LABEL;
      this.masking = spec.mask == null ? null : masking(spec.mask, tokenizer);
      this.variants = spec.mask == null ? 1 : spec.mask.variants();
    }

    private static Masking masking(Mask mask, Tokenizer tokenizer) {
      return new Masking(
          mask.probability(),
          mask.seed(),
          tokenizer.vocabSize(),
          tokenizer.maskId(),
          Set.of(
              tokenizer.padId(),
              tokenizer.clsId(),
              tokenizer.sepId(),
              tokenizer.maskId(),
              tokenizer.unkId()));
    }

    List<InputRow> tokenize(List<SourceRow> rows) {
      List<Encoded> texts = tokenizer.encode(rows.stream().map(SourceRow::text).toList());
      List<InputRow> inputs = new ArrayList<>();
      for (int i = 0; i < rows.size(); i++) {
        add(rows.get(i), texts.get(i), inputs);
      }
      return inputs;
    }

    private void add(SourceRow row, Encoded text, List<InputRow> to) {
      String reason = reasonInvalid(row, text);
      if (reason != null) {
        to.add(InputRow.invalid(row.key(), row.text(), row.pair(), reason));
        return;
      }
      if (text.ids().length == 0 && cut.mode() != Segmenter.Mode.ROW) {
        return;
      }
      Double label =
          labels == null || row.unlabelled() ? null : labels.encode(row.label(), row.key());
      String pair = row.pair();
      if (pair != null) {
        int[] second = tokenizer.encode(List.of(pair)).get(0).ids();
        SourceRow texts = new SourceRow(row.key(), row.text(), pair, null);
        add(texts, pairing.pair(text.ids(), second), label, to);
        return;
      }
      List<Segment> segments = segmenter.segment(text, row.text());
      boolean uncut = cut.mode() == Segmenter.Mode.ROW && segments.size() == 1;
      for (int s = 0; s < segments.size(); s++) {
        String key = uncut ? row.key() : row.key() + "#" + s;
        SourceRow piece = new SourceRow(key, segments.get(s).text(), null, null);
        add(piece, pairing.single(segments.get(s).ids()), label, to);
      }
    }

    /**
     * Returns why a row cannot have targets, or null if it can. Blank lines of prose are not rows.
     */
    private @Nullable String reasonInvalid(SourceRow row, Encoded text) {
      if (row.problem() != null) {
        return row.problem();
      }
      if (text.ids().length == 0) {
        return cut.mode() == Segmenter.Mode.ROW ? InvalidRows.EMPTY : null;
      }
      boolean missing = row.label() == null || row.label().isBlank();
      return labelNeeded && missing && !row.unlabelled() ? InvalidRows.NO_LABEL : null;
    }

    private void add(
        SourceRow row, Pairing.Input input, @Nullable Double label, List<InputRow> to) {
      if (masking == null) {
        InputRow.Tokens tokens = new InputRow.Tokens(input.ids(), input.tokenTypes(), null);
        to.add(new InputRow(row.key(), row.text(), row.pair(), tokens, label, null));
        return;
      }
      for (int variant = 0; variant < variants; variant++) {
        Masking.Masked masked = masking.mask(input.ids(), row.key(), variant);
        String id = variants == 1 ? row.key() : row.key() + "~" + variant;
        InputRow.Tokens tokens =
            new InputRow.Tokens(masked.ids(), input.tokenTypes(), masked.labels());
        to.add(new InputRow(id, row.text(), row.pair(), tokens, label, null));
      }
    }
  }
}

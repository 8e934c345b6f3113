package io.stillhouse.jobs.corpus;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.Head;
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
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Turns rows of text into rows of token ids: segmented, paired, truncated, and masked for a masked
 * LM.
 *
 * @param teacher Hugging Face directory whose tokenizer is used
 * @param head what labels mean
 * @param cut segmentation
 * @param mask masked-LM masking, or null
 */
public record Tokenising(String teacher, Labels head, Cut cut, @Nullable Mask mask)
    implements Serializable {
  private static final int ROWS_AT_ONCE = 256;

  /** Task and classes; {@link Head} itself is not serializable. */
  public record Labels(io.stillhouse.spec.Task task, List<String> names, boolean present)
      implements Serializable {
    Head toHead() {
      return new Head(task, names);
    }
  }

  /** How a text becomes rows of at most {@code maxLength} tokens. */
  public record Cut(Segmenter.Mode mode, Segmenter.TooLong tooLong, int maxLength)
      implements Serializable {}

  /** How many differently masked copies of each row there are. */
  public record Mask(double probability, int variants, long seed) implements Serializable {}

  /** Tokenises a partition lazily, a few hundred rows at a time. */
  public Iterator<InputRow> of(Iterator<SourceRow> rows) throws IOException {
    Tokenizer tokenizer = Models.tokenizer(teacher);
    Worker worker = new Worker(this, tokenizer);
    return new Iterator<>() {
      private Iterator<InputRow> ready = List.<InputRow>of().iterator();

      @Override
      public boolean hasNext() {
        while (!ready.hasNext() && rows.hasNext()) {
          List<SourceRow> some = new ArrayList<>(ROWS_AT_ONCE);
          while (rows.hasNext() && some.size() < ROWS_AT_ONCE) {
            some.add(rows.next());
          }
          ready = worker.tokenise(some).iterator();
        }
        return ready.hasNext();
      }

      @Override
      public InputRow next() {
        if (!hasNext()) {
          throw new java.util.NoSuchElementException();
        }
        return ready.next();
      }
    };
  }

  /** The tools of one task. */
  private static final class Worker {
    private final Tokenising spec;
    private final Tokenizer tokenizer;
    private final Segmenter segmenter;
    private final Pairing pairing;
    private final LabelCodec labels;
    private final Masking masking;

    Worker(Tokenising spec, Tokenizer tokenizer) {
      this.spec = spec;
      this.tokenizer = tokenizer;
      this.segmenter = new Segmenter(spec.cut.mode(), spec.cut.tooLong(), spec.cut.maxLength());
      this.pairing = new Pairing(tokenizer.clsId(), tokenizer.sepId(), spec.cut.maxLength());
      this.labels = spec.head.present() ? LabelCodec.of(spec.head.toHead()) : null;
      this.masking =
          spec.mask == null
              ? null
              : new Masking(
                  spec.mask.probability(),
                  spec.mask.seed(),
                  tokenizer.vocabSize(),
                  tokenizer.maskId(),
                  Set.of(
                      tokenizer.padId(),
                      tokenizer.clsId(),
                      tokenizer.sepId(),
                      tokenizer.maskId(),
                      tokenizer.unkId()));
    }

    List<InputRow> tokenise(List<SourceRow> rows) {
      List<Encoded> texts = tokenizer.encode(rows.stream().map(SourceRow::text).toList());
      List<InputRow> inputs = new ArrayList<>();
      for (int i = 0; i < rows.size(); i++) {
        SourceRow row = rows.get(i);
        String invalid = invalid(row, texts.get(i));
        if (invalid != null) {
          inputs.add(InputRow.invalid(row.key(), row.text(), row.pair(), invalid));
          continue;
        }
        Double label = labels == null ? null : labels.encode(row.label(), row.key());
        if (row.pair() != null) {
          int[] second = tokenizer.encode(List.of(row.pair())).get(0).ids();
          add(
              row.key(),
              row.text(),
              row.pair(),
              pairing.pair(texts.get(i).ids(), second),
              label,
              inputs);
          continue;
        }
        List<Segment> segments = segmenter.segment(texts.get(i), row.text());
        for (int s = 0; s < segments.size(); s++) {
          boolean whole = spec.cut.mode() == Segmenter.Mode.ROW && segments.size() == 1;
          add(
              whole ? row.key() : row.key() + "#" + s,
              segments.get(s).text(),
              null,
              pairing.single(segments.get(s).ids()),
              label,
              inputs);
        }
      }
      return inputs;
    }

    /**
     * Returns why a row can have no targets, or null. Spark reads bytes that are not UTF-8 as the
     * replacement character; blank lines of prose are no rows at all.
     */
    private String invalid(SourceRow row, Encoded text) {
      if (broken(row.text()) || row.pair() != null && broken(row.pair())) {
        return "not UTF-8";
      }
      boolean table = spec.cut.mode() == Segmenter.Mode.ROW;
      return table && text.ids().length == 0 ? "empty" : null;
    }

    private static boolean broken(String text) {
      return text.indexOf('\uFFFD') >= 0;
    }

    private void add(
        String key,
        String text,
        String pair,
        Pairing.Input input,
        Double label,
        List<InputRow> to) {
      if (masking == null) {
        to.add(new InputRow(key, text, pair, input.ids(), input.tokenTypes(), null, label, null));
        return;
      }
      for (int variant = 0; variant < spec.mask.variants(); variant++) {
        Masking.Masked masked = masking.mask(input.ids(), key, variant);
        to.add(
            new InputRow(
                spec.mask.variants() == 1 ? key : key + "~" + variant,
                text,
                pair,
                masked.ids(),
                input.tokenTypes(),
                masked.labels(),
                label,
                null));
      }
    }
  }

  /**
   * Returns how a recipe cuts texts into rows: prose into windows, tables not at all, unless it
   * says otherwise.
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
}

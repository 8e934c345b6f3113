package io.stillhouse.jobs.augment;

import ai.djl.ndarray.NDManager;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.text.SourceRow;
import io.stillhouse.model.Autograd;
import io.stillhouse.model.Batch;
import io.stillhouse.model.InferenceEncoder;
import io.stillhouse.model.LikeliestTokens;
import io.stillhouse.text.Encoded;
import io.stillhouse.text.ReplaceableWords;
import io.stillhouse.text.Rewritten;
import io.stillhouse.text.Span;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.text.WordReplacement;
import io.stillhouse.train.MicroBatches;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes copies with words replaced (TinyBERT, arXiv:1909.10351, Algorithm 1). Candidates are found
 * once for each word of a text, with that text alone around it, even of a pair (so does the
 * released code): for a word of one piece the likeliest words where it is masked, for one of
 * several the words of the nearest vectors. All copies draw from them. The word itself and what is
 * no word of letters is no candidate, so that the probability is the share of words that change;
 * the released code keeps them, and shows the model the unmasked text as a second one.
 */
final class MaskedLmAugmenter implements Augmentation.Augmenter {
  private final Augmentation.MaskedLm how;
  private final Augmentation.Draws draws;
  private final Tokenizer tokenizer;
  private final Vocabulary vocabulary;
  private final LikeliestTokens likeliest;
  private final ReplaceableWords replaceable;
  private final WordReplacement replacement;

  MaskedLmAugmenter(Augmentation.MaskedLm how, Augmentation.Draws draws) throws IOException {
    Autograd.threads(how.pass().threads());
    InferenceEncoder encoder = Models.encoder(how.model(), how.pass().precision());
    Autograd.record(Autograd.Mode.OFF);
    this.how = how;
    this.draws = draws;
    this.tokenizer = Models.tokenizer(how.model());
    this.vocabulary = Vocabulary.of(how.model(), how.vectors(), encoder.encoder());
    // One more, since the word itself may be among them.
    this.likeliest =
        new LikeliestTokens(encoder, vocabulary.isWord(), how.choice().candidates() + 1);
    this.replaceable = new ReplaceableWords(how.choice().stops());
    this.replacement = new WordReplacement(how.choice().probability(), draws.seed());
  }

  /** A text with the words that may be replaced; candidates are filled in. */
  private record Source(
      String text,
      Encoded encoded,
      List<ReplaceableWords.Found> found,
      List<List<String>> candidates) {
    List<Span> spans() {
      return found.stream().map(ReplaceableWords.Found::span).toList();
    }
  }

  /** A word that the masked LM is asked for. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Masked(Source source, int word, int[] ids, int position) {}

  @Override
  public List<Augmentation.Copies> of(List<SourceRow> rows) throws IOException {
    List<Source> texts = sources(rows.stream().map(SourceRow::text).toList());
    List<Source> pairs =
        sources(rows.stream().map(row -> row.pair() == null ? "" : row.pair()).toList());
    List<Masked> asked = new ArrayList<>();
    texts.forEach(source -> ask(source, asked));
    pairs.forEach(source -> ask(source, asked));
    for (List<Masked> batch :
        MicroBatches.cut(
            asked,
            masked -> masked.ids().length,
            how.pass().tokensPerBatch(),
            MicroBatches.Phase.INFERENCE)) {
      answer(batch);
    }
    List<Augmentation.Copies> copies = new ArrayList<>();
    for (int row = 0; row < rows.size(); row++) {
      copies.add(
          copies(
              rows.get(row), texts.get(row), rows.get(row).pair() == null ? null : pairs.get(row)));
    }
    return copies;
  }

  private List<Source> sources(List<String> texts) {
    List<Encoded> encoded = tokenizer.encode(texts);
    List<Source> sources = new ArrayList<>();
    for (int i = 0; i < encoded.size(); i++) {
      List<ReplaceableWords.Found> found = replaceable.in(encoded.get(i), texts.get(i));
      List<List<String>> candidates = new ArrayList<>();
      found.forEach(word -> candidates.add(List.of()));
      sources.add(new Source(texts.get(i), encoded.get(i), found, candidates));
    }
    return sources;
  }

  /** Finds the nearest words of those of several pieces, and collects the others. */
  private void ask(Source source, List<Masked> asked) {
    int[] ids = source.encoded().ids();
    for (int word = 0; word < source.found().size(); word++) {
      ReplaceableWords.Found found = source.found().get(word);
      int first = found.firstToken();
      if (found.tokens() > 1) {
        source
            .candidates()
            .set(
                word,
                vocabulary.nearest(
                    found.span().of(source.text()),
                    Arrays.copyOfRange(ids, first, first + found.tokens()),
                    how.choice().candidates()));
      } else {
        asked.add(masked(source, word, ids, first));
      }
    }
  }

  /** Masks a token, in as much of its text as fits, which lies about it where not all does. */
  private Masked masked(Source source, int word, int[] ids, int token) {
    int kept = Math.min(ids.length, how.pass().maxLength() - 2);
    int from = Math.max(0, Math.min(token - kept / 2, ids.length - kept));
    int[] window = new int[kept + 2];
    window[0] = tokenizer.clsId();
    System.arraycopy(ids, from, window, 1, kept);
    window[kept + 1] = tokenizer.sepId();
    int position = 1 + token - from;
    window[position] = tokenizer.maskId();
    return new Masked(source, word, window, position);
  }

  private void answer(List<Masked> batch) {
    try (NDManager manager = Devices.manager()) {
      int[][] ids =
          likeliest.of(
              Batch.of(
                  manager,
                  batch.stream().map(Masked::ids).toList(),
                  batch.stream().map(masked -> new int[masked.ids().length]).toList()),
              batch.stream().mapToInt(Masked::position).toArray());
      for (int row = 0; row < ids.length; row++) {
        Source source = batch.get(row).source();
        int word = batch.get(row).word();
        int own = source.encoded().ids()[source.found().get(word).firstToken()];
        source
            .candidates()
            .set(
                word,
                Arrays.stream(ids[row])
                    .filter(id -> id != own)
                    .limit(how.choice().candidates())
                    .mapToObj(tokenizer::token)
                    .toList());
      }
    }
  }

  private Augmentation.Copies copies(SourceRow row, Source text, @Nullable Source pair) {
    List<Augmentation.Texts> texts = new ArrayList<>();
    long replaced = 0;
    for (int copy = 1; copy <= draws.copies(); copy++) {
      Rewritten first = copy(row, text, copy, 0);
      Rewritten second = pair == null ? null : copy(row, pair, copy, 1);
      replaced += first.replaced() + (second == null ? 0 : second.replaced());
      texts.add(new Augmentation.Texts(first.text(), second == null ? null : second.text()));
    }
    long words =
        ReplaceableWords.count(text.encoded())
            + (pair == null ? 0 : ReplaceableWords.count(pair.encoded()));
    return new Augmentation.Copies(
        texts,
        words * draws.copies(),
        replaced,
        computed(text) + (pair == null ? 0 : computed(pair)));
  }

  private Rewritten copy(SourceRow row, Source source, int copy, int side) {
    return replacement.copy(
        source.text(),
        source.spans(),
        source.candidates(),
        row.key(),
        new Rewritten.Place(copy, side));
  }

  private static long computed(Source source) {
    return source.found().stream().filter(word -> word.tokens() == 1).count();
  }
}

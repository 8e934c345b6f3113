package io.stillhouse.jobs.augment;

import ai.djl.ndarray.NDManager;
import io.stillhouse.augment.ReplaceableWords;
import io.stillhouse.augment.Rewritten;
import io.stillhouse.augment.Span;
import io.stillhouse.augment.WordReplacement;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.model.Batch;
import io.stillhouse.model.encoder.InferenceEncoder;
import io.stillhouse.model.encoder.LikeliestTokens;
import io.stillhouse.text.Encoded;
import io.stillhouse.text.Pairing;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.torch.Autograd;
import io.stillhouse.train.MicroBatches;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Makes copies with words replaced (TinyBERT, arXiv:1909.10351, Algorithm 1). Candidates are
 * computed once for each word of a text and used by all copies. For a word of one piece they are
 * the most probable words at its masked position, for a word of several pieces those with the
 * nearest vectors. As in the released code, the model reads only the text of the word, even if the
 * row is a pair. Unlike in the released code, the word itself and tokens that are not words of
 * letters are not candidates, so the replacement probability equals the share of words that change.
 */
final class MaskedLmAugmenter implements Augmentation.Augmenter {
  private static final int NO_TOKEN = -1;

  private final Augmentation.MaskedLm how;
  private final Augmentation.Draws draws;
  private final Tokenizer tokenizer;
  private final Pairing pairing;
  private final Vocabulary vocabulary;
  private final LikeliestTokens likeliest;
  private final ReplaceableWords replaceable;
  private final WordReplacement replacement;

  MaskedLmAugmenter(Augmentation.MaskedLm augmentation, Augmentation.Draws draws)
      throws IOException {
    Autograd.threads(augmentation.pass().threads());
    InferenceEncoder encoder =
        Models.encoder(augmentation.model(), augmentation.pass().precision());
    Autograd.record(Autograd.Mode.OFF);
    this.how = augmentation;
    this.draws = draws;
    this.tokenizer = Models.tokenizer(augmentation.model());
    this.pairing =
        new Pairing(tokenizer.clsId(), tokenizer.sepId(), augmentation.pass().maxLength());
    this.vocabulary = Vocabulary.of(augmentation, encoder.encoder());
    // One more, because the word itself may be among them.
    this.likeliest =
        new LikeliestTokens(
            encoder, vocabulary.candidates(), augmentation.choice().candidates() + 1);
    this.replaceable = new ReplaceableWords(augmentation.choice().stops());
    this.replacement = new WordReplacement(augmentation.choice().probability(), draws.seed());
  }

  /** A text with its replaceable words. Candidates are filled in later. */
  private record Source(
      String text,
      Encoded encoded,
      List<ReplaceableWords.Found> found,
      List<List<String>> candidates) {
    List<Span> spans() {
      return found.stream().map(ReplaceableWords.Found::span).toList();
    }
  }

  /** A word for which the masked LM is evaluated. */
  private record Masked(Source source, int word, Pairing.Input input, int position) {
    int length() {
      return input.ids().length;
    }
  }

  @Override
  public List<Augmentation.@Nullable Copies> of(List<SourceRow> rows) throws IOException {
    List<Source> texts = sources(rows.stream().map(SourceRow::text).toList());
    List<Source> pairs =
        sources(rows.stream().map(row -> row.pair() == null ? "" : row.pair()).toList());
    List<Masked> masked = new ArrayList<>();
    texts.forEach(source -> collectMasked(source, masked));
    pairs.forEach(source -> collectMasked(source, masked));
    Set<Source> notFinite = Collections.newSetFromMap(new IdentityHashMap<>());
    for (List<Masked> batch :
        MicroBatches.split(
            masked, Masked::length, how.pass().tokensPerBatch(), MicroBatches.Phase.INFERENCE)) {
      notFinite.addAll(predict(batch));
    }
    List<Augmentation.@Nullable Copies> copies = new ArrayList<>();
    for (int row = 0; row < rows.size(); row++) {
      boolean broken = notFinite.contains(texts.get(row)) || notFinite.contains(pairs.get(row));
      copies.add(
          broken
              ? null
              : copies(
                  rows.get(row),
                  texts.get(row),
                  rows.get(row).pair() == null ? null : pairs.get(row)));
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

  /** Finds candidates for words of several pieces, and collects the words to mask. */
  private void collectMasked(Source source, List<Masked> masked) {
    int[] ids = source.encoded().ids();
    for (int word = 0; word < source.found().size(); word++) {
      ReplaceableWords.Found found = source.found().get(word);
      if (found.tokens() == 1 || !vocabulary.hasVectors()) {
        masked.add(masked(source, word));
        continue;
      }
      int first = found.firstToken();
      source
          .candidates()
          .set(
              word,
              vocabulary.nearest(
                  found.span().of(source.text()),
                  Arrays.copyOfRange(ids, first, first + found.tokens()),
                  how.choice().candidates()));
    }
  }

  /** Replaces a word with [MASK] and keeps as much of the text around it as fits. */
  private Masked masked(Source source, int word) {
    ReplaceableWords.Found found = source.found().get(word);
    int[] ids = source.encoded().ids();
    int first = found.firstToken();
    int after = first + found.tokens();
    int[] text = new int[ids.length - found.tokens() + 1];
    System.arraycopy(ids, 0, text, 0, first);
    text[first] = tokenizer.maskId();
    System.arraycopy(ids, after, text, first + 1, ids.length - after);
    if (how.pass().input() == Augmentation.MaskedLm.ModelInput.MASKED_TEXT) {
      int room = how.pass().maxLength() - 2;
      int from = windowStart(text.length, first, room);
      return new Masked(source, word, pairing.single(window(text, from, room)), 1 + first - from);
    }
    int room = (how.pass().maxLength() - 3) / 2;
    int from = windowStart(text.length, first, room);
    return new Masked(
        source,
        word,
        pairing.pair(window(text, from, room), window(ids, from, room)),
        1 + first - from);
  }

  /** Returns the first token of the window around a word, which is centred if possible. */
  private static int windowStart(int length, int word, int room) {
    return Math.max(0, Math.min(word - room / 2, length - room));
  }

  private static int[] window(int[] ids, int from, int room) {
    return Arrays.copyOfRange(ids, from, Math.min(ids.length, from + room));
  }

  /** Sets the candidates of words, and returns the texts with logits that are not finite. */
  private List<Source> predict(List<Masked> batch) {
    List<Source> notFinite = new ArrayList<>();
    try (NDManager manager = Devices.manager()) {
      int[] @Nullable [] ids =
          likeliest.of(
              Batch.of(
                  manager,
                  batch.stream().map(masked -> masked.input().ids()).toList(),
                  batch.stream().map(masked -> masked.input().tokenTypes()).toList()),
              batch.stream().mapToInt(Masked::position).toArray());
      for (int row = 0; row < ids.length; row++) {
        Source source = batch.get(row).source();
        int[] likely = ids[row];
        if (likely == null) {
          notFinite.add(source);
          continue;
        }
        int word = batch.get(row).word();
        ReplaceableWords.Found found = source.found().get(word);
        int originalId =
            found.tokens() == 1 ? source.encoded().ids()[found.firstToken()] : NO_TOKEN;
        source
            .candidates()
            .set(
                word,
                Arrays.stream(likely)
                    .filter(id -> id != originalId)
                    .limit(how.choice().candidates())
                    .mapToObj(tokenizer::token)
                    .toList());
      }
    }
    return notFinite;
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
    long words = ReplaceableWords.count(text.encoded());
    if (pair != null) {
      words += ReplaceableWords.count(pair.encoded());
    }
    return new Augmentation.Copies(
        texts,
        words * draws.copies(),
        replaced,
        maskedWords(text) + (pair == null ? 0 : maskedWords(pair)));
  }

  private Rewritten copy(SourceRow row, Source source, int copy, int side) {
    return replacement.copy(
        source.text(),
        source.spans(),
        source.candidates(),
        row.key(),
        new Rewritten.CopyId(copy, side));
  }

  private long maskedWords(Source source) {
    return source.found().stream()
        .filter(word -> word.tokens() == 1 || !vocabulary.hasVectors())
        .count();
  }
}

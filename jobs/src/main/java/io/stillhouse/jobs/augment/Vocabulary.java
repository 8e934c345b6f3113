package io.stillhouse.jobs.augment;

import static io.stillhouse.error.Text.format;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import io.stillhouse.augment.ReplaceableWords;
import io.stillhouse.config.Options;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.WordVectorFile;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.model.encoder.NearestWords;
import io.stillhouse.text.Tokenizer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The whole words of a masked LM's vocabulary, and the nearest neighbors of words of several
 * pieces. An executor builds and keeps one instance for each model and device; an application
 * augments with one model.
 */
final class Vocabulary {
  /** As in TinyBERT's released code. Files list frequent words first. */
  private static final int MAX_VECTORS = 100_000;

  private static final Map<Key, Vocabulary> ALL = new HashMap<>();

  private final Encoder encoder;
  private final boolean[] candidate;
  private final @Nullable NearestWords nearest;
  private final Map<Query, List<String>> found = new ConcurrentHashMap<>();

  private record Key(String model, String vectors, ReplaceableWords.Stops stops, Device device) {}

  private record Query(String word, int limit) {}

  private Vocabulary(Encoder encoder, boolean[] candidate, @Nullable NearestWords nearest) {
    this.encoder = encoder;
    this.candidate = candidate;
    this.nearest = nearest;
  }

  /**
   * Returns the vocabulary of a model.
   *
   * @param encoder the model, which stays open until the calling task ends
   */
  static synchronized Vocabulary of(Augmentation.MaskedLm augmentation, Encoder encoder)
      throws IOException {
    Key key =
        new Key(
            augmentation.model(),
            augmentation.vectors(),
            augmentation.choice().stops(),
            Devices.ofTask());
    Vocabulary vocabulary = ALL.get(key);
    if (vocabulary == null || vocabulary.encoder != encoder) { // it reads the encoder's embeddings
      vocabulary = make(Models.tokenizer(augmentation.model()), augmentation, encoder);
      ALL.put(key, vocabulary);
    }
    return vocabulary;
  }

  private static Vocabulary make(
      Tokenizer tokenizer, Augmentation.MaskedLm augmentation, Encoder encoder) throws IOException {
    ReplaceableWords words = new ReplaceableWords(augmentation.choice().stops());
    boolean[] candidate = new boolean[tokenizer.vocabSize()];
    List<String> tokens = new ArrayList<>();
    List<Integer> ids = new ArrayList<>();
    for (int id = 0; id < candidate.length; id++) {
      candidate[id] = words.mayReplace(tokenizer.token(id));
      if (candidate[id]) {
        tokens.add(tokenizer.token(id));
        ids.add(id);
      }
    }
    if (tokens.isEmpty()) {
      throw Errors.invalid(
          format(
              "the vocabulary of '%s' has no word that may replace another", augmentation.model()),
          "set augment.stop-words=replaced, augment.kind=rules, or use another masked LM");
    }
    if (augmentation.vectors().equals(Augmentation.MaskedLm.NO_VECTORS)) {
      return new Vocabulary(encoder, candidate, null);
    }
    NDManager manager = Devices.manager();
    if (augmentation.vectors().isEmpty()) {
      long[] rows = ids.stream().mapToLong(Integer::longValue).toArray();
      return new Vocabulary(
          encoder, candidate, NearestWords.ofPieces(encoder, manager, tokens, rows));
    }
    Map<String, float[]> vectors =
        readVectors(Storage.ofThisProcess(), augmentation.vectors(), words);
    int width = vectors.values().iterator().next().length;
    float[] values = new float[Math.multiplyExact(width, vectors.size())];
    int at = 0;
    for (float[] vector : vectors.values()) {
      System.arraycopy(vector, 0, values, at, width);
      at += width;
    }
    return new Vocabulary(
        encoder, candidate, NearestWords.ofWords(manager, List.copyOf(vectors.keySet()), values));
  }

  /**
   * Reads the vectors of words that may replace others. These include the words of several pieces,
   * whose neighbors are searched for.
   *
   * @throws io.stillhouse.error.StillhouseException if the file has no vectors of words
   */
  static Map<String, float[]> readVectors(Storage storage, String path, ReplaceableWords words)
      throws IOException {
    return new WordVectorFile(storage, Options.AUGMENT_VECTORS.key(), path)
        .first(words::mayReplace, MAX_VECTORS);
  }

  /** Returns for each id whether its token may replace a word. */
  boolean[] candidates() {
    return candidate;
  }

  /** Returns whether words of several pieces have vectors. */
  boolean hasVectors() {
    return nearest != null;
  }

  /** Returns the nearest neighbors of a word of several pieces; empty if it has no vector. */
  List<String> nearest(String word, int[] pieces, int limit) {
    NearestWords table = Objects.requireNonNull(nearest);
    return found.computeIfAbsent(
        new Query(word, limit),
        query -> {
          List<String> words = table.to(word, pieces, limit);
          return words.isEmpty() ? table.to(word.toLowerCase(Locale.ROOT), pieces, limit) : words;
        });
  }
}

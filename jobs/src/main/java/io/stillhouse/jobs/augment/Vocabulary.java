package io.stillhouse.jobs.augment;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import io.stillhouse.jobs.cache.Storage;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.model.Encoder;
import io.stillhouse.model.NearestWords;
import io.stillhouse.text.ReplaceableWords;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.text.WordVectorFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.Path;

/**
 * The words that a masked LM's vocabulary holds whole, and the nearest ones to words that it cuts
 * into pieces: made once per executor and kept until it ends.
 */
final class Vocabulary {
  /** As many as TinyBERT's released code reads; the file has the commonest first. */
  private static final int MOST_VECTORS = 100_000;

  private static final Map<Key, Vocabulary> ALL = new HashMap<>();

  private final boolean[] isWord;
  private final NearestWords nearest;
  private final Map<Asked, List<String>> found = new ConcurrentHashMap<>();

  private record Key(String model, String vectors, Device device) {}

  private record Asked(String word, int most) {}

  private Vocabulary(boolean[] isWord, NearestWords nearest) {
    this.isWord = isWord;
    this.nearest = nearest;
  }

  /**
   * Returns that of a model.
   *
   * @param vectors a file of word vectors, or empty for the mean of pieces' own
   * @param encoder the model, which is kept as long
   */
  static synchronized Vocabulary of(String model, String vectors, Encoder encoder)
      throws IOException {
    Key key = new Key(model, vectors, Devices.ofTask());
    Vocabulary vocabulary = ALL.get(key);
    if (vocabulary == null) {
      vocabulary = make(Models.tokenizer(model), vectors, encoder);
      ALL.put(key, vocabulary);
    }
    return vocabulary;
  }

  private static Vocabulary make(Tokenizer tokenizer, String vectors, Encoder encoder)
      throws IOException {
    boolean[] isWord = new boolean[tokenizer.vocabSize()];
    List<String> words = new ArrayList<>();
    List<Integer> ids = new ArrayList<>();
    for (int id = 0; id < isWord.length; id++) {
      // Pieces (##ing), special and unused tokens ([MASK], [unused7]) are not of letters alone.
      isWord[id] = ReplaceableWords.isWord(tokenizer.token(id));
      if (isWord[id]) {
        words.add(tokenizer.token(id));
        ids.add(id);
      }
    }
    NDManager manager = Devices.manager();
    if (vectors.isEmpty()) {
      return new Vocabulary(
          isWord,
          NearestWords.ofPieces(
              encoder, manager, words, ids.stream().mapToLong(Integer::longValue).toArray()));
    }
    WordVectorFile file = readVectors(vectors);
    return new Vocabulary(isWord, NearestWords.ofWords(manager, file.words(), file.values()));
  }

  /**
   * Reads a file of word vectors on any file system.
   *
   * @throws io.stillhouse.error.StillhouseException if it is none
   */
  static WordVectorFile readVectors(String vectors) throws IOException {
    return WordVectorFile.read(Storage.ofThisProcess().local(new Path(vectors)), MOST_VECTORS);
  }

  /** Returns for each id whether its token is a word of letters. */
  boolean[] isWord() {
    return isWord;
  }

  /** Returns the nearest words to one of several pieces; none where it has no vector. */
  List<String> nearest(String word, int[] pieces, int most) {
    return found.computeIfAbsent(
        new Asked(word, most),
        asked -> {
          List<String> words = nearest.to(word, pieces, most);
          return words.isEmpty() ? nearest.to(word.toLowerCase(Locale.ROOT), pieces, most) : words;
        });
  }
}

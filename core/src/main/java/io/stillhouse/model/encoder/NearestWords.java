package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.torch.Autograd;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Finds the words with the most similar vectors, by cosine similarity. The vectors come from a
 * table of words; or from an encoder's word pieces, where a word has the mean of its pieces'
 * vectors minus the mean of all words. Without this subtraction, rare tokens would be nearest to
 * every word, because all vectors share a large common part and theirs have little else (Mu and
 * Viswanath 2018, arXiv:1702.01417, section 2). Thread-safe.
 */
public final class NearestWords {
  private static final float MIN_LENGTH = 1e-12f;

  private final List<String> words;
  private final Map<String, Integer> rowOfWord = new HashMap<>();
  private final NDArray normalizedDW;
  private final NDArray vectorsPD;
  private final NDArray centreD;
  private final VectorSource source;

  /** What the rows of the vector table represent. */
  private enum VectorSource {
    PIECES,
    WORDS
  }

  private NearestWords(
      List<String> words,
      NDArray normalizedWD,
      NDArray vectorsPD,
      NDArray centreD,
      VectorSource source) {
    this.words = List.copyOf(words);
    this.normalizedDW =
        normalizedWD.transpose(); // once, because each call adds an array to the long-lived manager
    this.vectorsPD = vectorsPD;
    this.centreD = centreD;
    this.source = source;
    for (int word = 0; word < words.size(); word++) {
      rowOfWord.put(words.get(word), word);
    }
  }

  /**
   * Uses the vectors of an encoder's word pieces.
   *
   * @param encoder its weights must outlive this object
   * @param manager owns a copy of the words' vectors
   * @param words tokens of the vocabulary that may be returned
   * @param ids ids of {@code words}
   */
  public static NearestWords ofPieces(
      Encoder encoder, NDManager manager, List<String> words, long[] ids) {
    NDArray piecesPD = encoder.weight(EncoderSpec.WORDS);
    try (NDManager scope = manager.newSubManager()) {
      NDArray vectorsWD = rows(scope, piecesPD, ids);
      NDArray centreD = vectorsWD.mean(new int[] {0});
      NDArray normalizedWD = normalized(vectorsWD.sub(centreD));
      normalizedWD.attach(manager);
      centreD.attach(manager);
      return new NearestWords(words, normalizedWD, piecesPD, centreD, VectorSource.PIECES);
    }
  }

  /**
   * Uses the vectors of a table of words.
   *
   * @param manager owns the vectors
   * @param values the vectors of all words, one after another
   */
  public static NearestWords ofWords(NDManager manager, List<String> words, float[] values) {
    try (NDManager scope = manager.newSubManager()) {
      long width = values.length / words.size();
      NDArray normalizedWD = normalized(scope.create(values, new Shape(words.size(), width)));
      normalizedWD.attach(manager);
      return new NearestWords(
          words, normalizedWD, normalizedWD, manager.zeros(new Shape(width)), VectorSource.WORDS);
    }
  }

  /**
   * Returns the nearest words except the word itself, the nearest first. Returns none for a word
   * without a vector.
   *
   * @param pieces ids of the word's pieces
   * @param limit the largest number of words to return
   */
  public List<String> to(String word, int[] pieces, int limit) {
    long[] indices = vectorsOf(word, pieces);
    if (indices.length == 0) {
      return List.of();
    }
    try (NDManager scope = NDManager.newBaseManager(normalizedDW.getDevice())) {
      NDArray meanD = rows(scope, vectorsPD, indices).mean(new int[] {0}).sub(centreD);
      // Cosines up to a factor, which does not change their order. A product is attached to the
      // manager of its first operand, which must be this scope.
      NDArray cosinesW = meanD.reshape(1, -1).matMul(normalizedDW).reshape(-1);
      int count = Math.min(limit + 1, words.size());
      List<String> nearest = new ArrayList<>(count);
      for (long at : cosinesW.topK(count, 0, true, true).get(1).toLongArray()) {
        String neighbor = words.get((int) at);
        if (!neighbor.equals(word) && nearest.size() < limit) {
          nearest.add(neighbor);
        }
      }
      return List.copyOf(nearest);
    }
  }

  private long[] vectorsOf(String word, int[] pieces) {
    if (source == VectorSource.WORDS) {
      Integer row = rowOfWord.get(word);
      return row == null ? new long[0] : new long[] {row};
    }
    long[] rows = new long[pieces.length];
    for (int piece = 0; piece < rows.length; piece++) {
      rows[piece] = pieces[piece];
    }
    return rows;
  }

  private static NDArray normalized(NDArray vectorsWD) {
    NDArray least = vectorsWD.getManager().create(MIN_LENGTH);
    return vectorsWD.div(vectorsWD.norm(new int[] {1}, true).maximum(least));
  }

  private static NDArray rows(NDManager manager, NDArray table, long[] ids) {
    NDArray idsN = manager.create(ids);
    return Autograd.rows(table, idsN);
  }
}

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
 * The words whose vectors lie nearest to a word's, by the cosine. Vectors are those of any table of
 * words, or of an encoder's own word pieces, of which a word has the mean of its pieces'. The
 * latter are taken from their centre: all share a large part, and rare tokens consist of little
 * else, so that they would lie nearest to every mean (Mu and Viswanath 2018, arXiv:1702.01417,
 * section 2). Any number of threads may ask at once.
 */
public final class NearestWords {
  private static final float LEAST_LENGTH = 1e-12f;

  private final List<String> words;
  private final Map<String, Integer> rowOfWord = new HashMap<>();
  private final NDArray unitDW;
  private final NDArray vectorsPD;
  private final NDArray centreD;
  private final Of of;

  /** What has a vector in the table from which words take theirs. */
  private enum Of {
    PIECES,
    WORDS
  }

  private NearestWords(
      List<String> words, NDArray unitWD, NDArray vectorsPD, NDArray centreD, Of of) {
    this.words = List.copyOf(words);
    this.unitDW =
        unitWD.transpose(); // once: each call would leave a handle in the long-lived manager
    this.vectorsPD = vectorsPD;
    this.centreD = centreD;
    this.of = of;
    for (int word = 0; word < words.size(); word++) {
      rowOfWord.put(words.get(word), word);
    }
  }

  /**
   * Takes the vectors of an encoder's word pieces.
   *
   * @param encoder its weights outlive this
   * @param manager holds a copy of the words' vectors
   * @param words those of the vocabulary that may be neighbours
   * @param ids of {@code words}
   */
  public static NearestWords ofPieces(
      Encoder encoder, NDManager manager, List<String> words, long[] ids) {
    NDArray piecesPD = encoder.weight(EncoderSpec.WORDS);
    try (NDManager scope = manager.newSubManager()) {
      NDArray vectorsWD = rows(scope, piecesPD, ids);
      NDArray centreD = vectorsWD.mean(new int[] {0});
      NDArray unitWD = unit(vectorsWD.sub(centreD));
      unitWD.attach(manager);
      centreD.attach(manager);
      return new NearestWords(words, unitWD, piecesPD, centreD, Of.PIECES);
    }
  }

  /**
   * Takes the vectors of words.
   *
   * @param manager holds the vectors
   * @param values of all words, one after another
   */
  public static NearestWords ofWords(NDManager manager, List<String> words, float[] values) {
    try (NDManager scope = manager.newSubManager()) {
      long width = values.length / words.size();
      NDArray unitWD = unit(scope.create(values, new Shape(words.size(), width)));
      unitWD.attach(manager);
      return new NearestWords(words, unitWD, unitWD, manager.zeros(new Shape(width)), Of.WORDS);
    }
  }

  /**
   * Returns the nearest words, the nearest first, the word itself not among them; none of a word
   * that has no vector.
   *
   * @param pieces ids of the word's pieces
   * @param most words that are returned
   */
  public List<String> to(String word, int[] pieces, int most) {
    long[] own = vectorsOf(word, pieces);
    if (own.length == 0) {
      return List.of();
    }
    try (NDManager scope = NDManager.newBaseManager(unitDW.getDevice())) {
      NDArray meanD = rows(scope, vectorsPD, own).mean(new int[] {0}).sub(centreD);
      // Cosines up to a factor, which puts none before another. A product belongs to its first
      // operand's manager, which must be this scope.
      NDArray cosinesW = meanD.reshape(1, -1).matMul(unitDW).reshape(-1);
      int count = Math.min(most + 1, words.size());
      List<String> nearest = new ArrayList<>(count);
      for (long at : cosinesW.topK(count, 0, true, true).get(1).toLongArray()) {
        String neighbour = words.get((int) at);
        if (!neighbour.equals(word) && nearest.size() < most) {
          nearest.add(neighbour);
        }
      }
      return List.copyOf(nearest);
    }
  }

  private long[] vectorsOf(String word, int[] pieces) {
    if (of == Of.WORDS) {
      Integer row = rowOfWord.get(word);
      return row == null ? new long[0] : new long[] {row};
    }
    long[] rows = new long[pieces.length];
    for (int piece = 0; piece < rows.length; piece++) {
      rows[piece] = pieces[piece];
    }
    return rows;
  }

  private static NDArray unit(NDArray vectorsWD) {
    NDArray least = vectorsWD.getManager().create(LEAST_LENGTH);
    return vectorsWD.div(vectorsWD.norm(new int[] {1}, true).maximum(least));
  }

  private static NDArray rows(NDManager manager, NDArray table, long[] ids) {
    NDArray idsN = manager.create(ids);
    return Autograd.rows(table, idsN);
  }
}

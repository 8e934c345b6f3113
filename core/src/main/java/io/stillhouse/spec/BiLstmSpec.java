package io.stillhouse.spec;

import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The shape of a single-layer bidirectional LSTM over word pieces, followed by a ReLU layer (Tang
 * et al. 2019, arXiv:1903.12136, section 3.1).
 *
 * @param words the table of word vectors
 * @param units the widths of its layers
 * @param dropout probability after the ReLU layer, in training only
 * @param texts number of texts in a row
 * @param head what it predicts: classes, or a score
 */
public record BiLstmSpec(Words words, Units units, double dropout, Texts texts, Head head)
    implements ModelSpec {

  /** Name of the word table. */
  public static final String WORDS = "embeddings.weight";

  /** The size of the table of word vectors: rows, and the width of one. */
  public record Words(int vocabSize, int vectorSize) implements Serializable {}

  /** Hidden units of the LSTM in one direction, and of the ReLU layer. */
  public record Units(int hiddenSize, int intermediateSize) implements Serializable {}

  /** The number of texts in a row. */
  public enum Texts {
    SINGLE(1, 2),
    /** The same LSTM reads both texts, which are compared as [a, b, a * b, |a - b|]. */
    PAIR(2, 8);

    private final int texts;
    private final int states;

    Texts(int texts, int states) {
      this.texts = texts;
      this.states = states;
    }

    /** Returns the number of texts. */
    public int count() {
      return texts;
    }
  }

  public BiLstmSpec {
    if (!head.task().pooled()) {
      throw new IllegalArgumentException("a BiLSTM predicts classes or a score, not " + head);
    }
  }

  @Override
  public int vocabSize() {
    return words.vocabSize();
  }

  @Override
  public int maxTokens() {
    return Integer.MAX_VALUE;
  }

  /** Returns the number of features of a row that the ReLU layer reads. */
  public int features() {
    return texts.states * units.hiddenSize();
  }

  /**
   * Returns every parameter with its shape, under the names of a PyTorch module of nn.Embedding
   * (embeddings), nn.LSTM (lstm) and nn.Linear (dense, classifier). Kernels are [out, in]; an
   * LSTM's gates are in the order input, forget, cell, output.
   */
  @Override
  public Map<String, long[]> parameters() {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    long hidden = units.hiddenSize();
    long inner = units.intermediateSize();
    shapes.put(WORDS, new long[] {words.vocabSize(), words.vectorSize()});
    for (Direction direction : Direction.values()) {
      shapes.put(direction.parameter("weight_ih"), new long[] {4 * hidden, words.vectorSize()});
      shapes.put(direction.parameter("weight_hh"), new long[] {4 * hidden, hidden});
      shapes.put(direction.parameter("bias_ih"), new long[] {4 * hidden});
      shapes.put(direction.parameter("bias_hh"), new long[] {4 * hidden});
    }
    shapes.put("dense.weight", new long[] {inner, features()});
    shapes.put("dense.bias", new long[] {inner});
    shapes.put("classifier.weight", new long[] {head.outputs(), inner});
    shapes.put("classifier.bias", new long[] {head.outputs()});
    return shapes;
  }

  /** The direction in which a text is read. */
  public enum Direction {
    FORWARD(""),
    BACKWARD("_reverse");

    private final String suffix;

    Direction(String suffix) {
      this.suffix = suffix;
    }

    /** Returns the name of a parameter of this direction, for a kind such as {@code weight_ih}. */
    public String parameter(String kind) {
      return "lstm." + kind + "_l0" + suffix;
    }
  }
}

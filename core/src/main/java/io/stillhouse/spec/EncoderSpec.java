package io.stillhouse.spec;

import static io.stillhouse.error.Text.format;

import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The shape of an encoder: everything that is needed to name its parameters and to compute it.
 *
 * @param architecture its architecture
 * @param embeddingSize the width of the tables; equal to that of hidden states unless the
 *     architecture maps one to the other
 * @param embeddings the tables below the first block
 * @param blocks the stack of Transformer blocks
 * @param numerics LayerNorm's epsilon and the dropout rates
 * @param head the head on top
 */
public record EncoderSpec(
    Architecture architecture,
    int embeddingSize,
    Embeddings embeddings,
    Blocks blocks,
    Numerics numerics,
    Head head)
    implements ModelSpec {

  /** Name of the word table, to which the masked-LM head is tied. */
  public static final String WORDS = "bert.embeddings.word_embeddings.weight";

  /** The prefix of the names of the mapping from embeddings to hidden states. */
  public static final String MAPPING = "bert.encoder.embedding_hidden_mapping_in";

  /**
   * The sizes of the embedding tables, in rows, and the id of the padding token; {@code
   * typeVocabSize} is 0 if there are no segment embeddings.
   */
  public record Embeddings(int vocabSize, int maxPositions, int typeVocabSize, int padTokenId)
      implements Serializable {}

  /**
   * The stack of blocks: {@code hiddenSize} and {@code intermediateSize} are widths of one token's
   * vector. The activation is that of the feed-forward layers and of the masked-LM head.
   */
  public record Blocks(
      int layers, int hiddenSize, int heads, int intermediateSize, Activation activation)
      implements Serializable {

    /** Creates blocks with BERT's activation, {@link Activation#GELU}. */
    public Blocks(int layers, int hiddenSize, int heads, int intermediateSize) {
      this(layers, hiddenSize, heads, intermediateSize, Activation.GELU);
    }
  }

  /** LayerNorm's epsilon, and the dropout probabilities, which apply in training only. */
  public record Numerics(
      double layerNormEps, double hiddenDropout, double attentionDropout, double classifierDropout)
      implements Serializable {}

  public EncoderSpec {
    if (!architecture.mapsEmbeddings() && embeddingSize != blocks.hiddenSize()) {
      throw new IllegalArgumentException(
          format(
              "the tables of %s have the width of its hidden states, %d, not %d",
              architecture, blocks.hiddenSize(), embeddingSize));
    }
    if (!architecture.hasSegments() && embeddings.typeVocabSize() != 0) {
      throw new IllegalArgumentException(architecture + " has no segment embeddings");
    }
    if (architecture == Architecture.DISTILBERT
        && numerics.layerNormEps() != Architecture.DISTILBERT_EPS) {
      throw new IllegalArgumentException(
          format(
              "LayerNorm's epsilon of %s is %s, not %s",
              architecture, Architecture.DISTILBERT_EPS, numerics.layerNormEps()));
    }
  }

  /** Creates the spec of a BERT. */
  public EncoderSpec(Embeddings embeddings, Blocks blocks, Numerics numerics, Head head) {
    this(Architecture.BERT, blocks.hiddenSize(), embeddings, blocks, numerics, head);
  }

  /** Returns a copy with another head. */
  public EncoderSpec withHead(Head newHead) {
    return new EncoderSpec(architecture, embeddingSize, embeddings, blocks, numerics, newHead);
  }

  @Override
  public int vocabSize() {
    return embeddings.vocabSize();
  }

  @Override
  public int maxTokens() {
    return embeddings.maxPositions();
  }

  public int layers() {
    return blocks.layers();
  }

  public int hiddenSize() {
    return blocks.hiddenSize();
  }

  public int heads() {
    return blocks.heads();
  }

  /** Returns the width of one attention head. */
  public int headSize() {
    return blocks.hiddenSize() / blocks.heads();
  }

  /** Returns the number of blocks that have their own weights. */
  public int distinctBlocks() {
    return architecture.sharesBlocks() ? 1 : blocks.layers();
  }

  /**
   * Returns every parameter with its shape, under the names of Hugging Face's BERT for every
   * architecture, in the order of a forward pass. Kernels are [out, in]. The masked-LM decoder is
   * tied to the word embeddings, so only its bias is listed. Weights that blocks share are listed
   * once.
   */
  @Override
  public Map<String, long[]> parameters() {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    long width = blocks.hiddenSize();
    long inner = blocks.intermediateSize();
    table(shapes, "word_embeddings", embeddings.vocabSize());
    table(shapes, "position_embeddings", embeddings.maxPositions());
    if (architecture.hasSegments()) {
      table(shapes, "token_type_embeddings", embeddings.typeVocabSize());
    }
    norm(shapes, "bert.embeddings.LayerNorm", embeddingSize);
    if (architecture.mapsEmbeddings()) {
      linear(shapes, MAPPING, width, embeddingSize);
    }
    for (int block = 1; block <= distinctBlocks(); block++) {
      String prefix = blockPrefix(block);
      linear(shapes, prefix + "attention.self.query", width, width);
      linear(shapes, prefix + "attention.self.key", width, width);
      linear(shapes, prefix + "attention.self.value", width, width);
      linear(shapes, prefix + "attention.output.dense", width, width);
      norm(shapes, prefix + "attention.output.LayerNorm", width);
      linear(shapes, prefix + "intermediate.dense", inner, width);
      linear(shapes, prefix + "output.dense", width, inner);
      norm(shapes, prefix + "output.LayerNorm", width);
    }
    switch (head.task()) {
      case NONE -> {}
      case MASKED_LM -> {
        linear(shapes, "cls.predictions.transform.dense", embeddingSize, width);
        norm(shapes, "cls.predictions.transform.LayerNorm", embeddingSize);
        shapes.put("cls.predictions.bias", new long[] {embeddings.vocabSize()});
      }
      case CLASSIFICATION, REGRESSION, MULTI_LABEL -> {
        linear(shapes, "bert.pooler.dense", width, width);
        linear(shapes, "classifier", head.outputs(), width);
      }
    }
    return shapes;
  }

  /**
   * Returns the prefix of the names of a block's parameters: the first block's if all share them.
   */
  public String prefixOf(int block) {
    return blockPrefix(architecture.sharesBlocks() ? 1 : block);
  }

  /**
   * Returns the prefix of the names of a block's own parameters. Blocks count from 1, names from 0.
   */
  public static String blockPrefix(int block) {
    return "bert.encoder.layer." + (block - 1) + ".";
  }

  private void table(Map<String, long[]> shapes, String name, long rows) {
    shapes.put("bert.embeddings." + name + ".weight", new long[] {rows, embeddingSize});
  }

  private static void linear(Map<String, long[]> shapes, String name, long out, long in) {
    shapes.put(name + ".weight", new long[] {out, in});
    shapes.put(name + ".bias", new long[] {out});
  }

  private static void norm(Map<String, long[]> shapes, String name, long width) {
    shapes.put(name + ".weight", new long[] {width});
    shapes.put(name + ".bias", new long[] {width});
  }
}

package io.stillhouse.spec;

import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The shape of a BERT encoder: all that is needed to name its parameters and compute it.
 *
 * @param embeddings the tables below the first block
 * @param blocks the stack of Transformer blocks
 * @param numerics LayerNorm's epsilon and the dropout rates
 * @param head what sits on top
 */
public record ModelSpec(Embeddings embeddings, Blocks blocks, Numerics numerics, Head head)
    implements Student {

  /** The sizes of the embedding tables, in rows, and the id of the padding token. */
  public record Embeddings(int vocabSize, int maxPositions, int typeVocabSize, int padTokenId)
      implements Serializable {}

  /**
   * The stack of blocks: {@code hiddenSize} and {@code intermediateSize} are widths of one token's
   * vector.
   */
  public record Blocks(int layers, int hiddenSize, int heads, int intermediateSize)
      implements Serializable {}

  /** LayerNorm's epsilon, and the dropout probabilities that apply in training only. */
  public record Numerics(
      double layerNormEps, double hiddenDropout, double attentionDropout, double classifierDropout)
      implements Serializable {}

  /** Returns the same encoder under another head. */
  public ModelSpec withHead(Head newHead) {
    return new ModelSpec(embeddings, blocks, numerics, newHead);
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

  /**
   * Returns every parameter with its shape, under Hugging Face's name, in the order of a forward
   * pass. Kernels are [out, in]. The masked-LM decoder is tied to the word embeddings, so only its
   * bias is listed.
   */
  @Override
  public Map<String, long[]> parameters() {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    long width = blocks.hiddenSize();
    long inner = blocks.intermediateSize();
    shapes.put(
        "bert.embeddings.word_embeddings.weight", new long[] {embeddings.vocabSize(), width});
    shapes.put(
        "bert.embeddings.position_embeddings.weight",
        new long[] {embeddings.maxPositions(), width});
    shapes.put(
        "bert.embeddings.token_type_embeddings.weight",
        new long[] {embeddings.typeVocabSize(), width});
    norm(shapes, "bert.embeddings.LayerNorm", width);
    for (int block = 1; block <= blocks.layers(); block++) {
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
        linear(shapes, "cls.predictions.transform.dense", width, width);
        norm(shapes, "cls.predictions.transform.LayerNorm", width);
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
   * Returns what the names of a block's parameters begin with; blocks count from 1, names from 0.
   */
  public static String blockPrefix(int block) {
    return "bert.encoder.layer." + (block - 1) + ".";
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

package io.stillhouse.evaluate;

import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.BiLstmSpec.Direction;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;

/**
 * Counts the floating-point operations of a forward pass, 2 for each multiply-add.
 *
 * <p>Only matrix products are counted. In an encoder these are the six linear layers and two
 * attention products of each block, the embedding mapping if there is one, and the pooler at the
 * first token and classifier of a task head. In a BiLSTM they are the gates at each token in both
 * directions, the ReLU layer and the classifier. The head of a masked LM is not counted, because it
 * only reads masked tokens. Embedding lookups and elementwise operations (biases, activations,
 * softmax, LayerNorm) are not counted either.
 *
 * <p>Table 1 of TinyBERT (Jiao et al. 2020, arXiv:1909.10351) also counts 2 for each multiply-add.
 * It reports 22.5 billion for BERT-base at 128 tokens; this class computes 22.35, and a pooler at
 * every token instead of the first would explain the difference. For 4 blocks of width 312 it
 * reports 1.2 billion; this class computes 1.25.
 */
public final class Flops {
  private static final long MULTIPLY_ADD = 2;

  private Flops() {}

  /**
   * Returns the operations for one row.
   *
   * @param tokens tokens of the row, including special tokens and the second text of a pair
   */
  public static long of(ModelSpec spec, int tokens) {
    return MULTIPLY_ADD
        * (spec instanceof BiLstmSpec biLstm
            ? biLstm(biLstm, tokens)
            : encoder((EncoderSpec) spec, tokens));
  }

  private static long encoder(EncoderSpec spec, long tokens) {
    long width = spec.hiddenSize();
    long inner = spec.blocks().intermediateSize();
    // Query, key, value and output; two feed-forward layers.
    long perToken = 4 * width * width + 2 * width * inner;
    long attention = 2 * tokens * tokens * width; // scores and weighted sums of values
    long mapping = spec.architecture().mapsEmbeddings() ? spec.embeddingSize() * width : 0;
    long head = spec.head().task().pooled() ? width * (width + spec.head().outputs()) : 0;
    return spec.layers() * (tokens * perToken + attention) + tokens * mapping + head;
  }

  private static long biLstm(BiLstmSpec spec, long tokens) {
    long hidden = spec.units().hiddenSize();
    long inner = spec.units().intermediateSize();
    long gates = 4 * hidden * (spec.words().vectorSize() + hidden);
    return Direction.values().length * tokens * gates
        + inner * (spec.features() + spec.head().outputs());
  }
}

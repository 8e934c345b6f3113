package io.stillhouse.evaluate;

import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.BiLstmSpec.Direction;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;

/**
 * Floating-point operations of a forward pass, 2 for each multiply-add.
 *
 * <p>Counted are matrix products: of a block its six layers and both products of attention, the
 * mapping of embeddings where there is one, and of a task head its pooler at the first token and
 * its classifier; of a BiLSTM the gates at each token in both directions, the ReLU layer and the
 * classifier. A masked LM's head is left out, for it reads masked tokens alone. So are lookups and
 * all that goes number by number: biases, activations, softmax, LayerNorm.
 *
 * <p>Table 1 of TinyBERT (Jiao et al. 2020, arXiv:1909.10351) counts 2 for each multiply-add, too.
 * Its 22.5 billion of BERT-base at 128 tokens are 22.35 here; a pooler at every token, not at the
 * first alone, would be the difference. Its 1.2 of 4 blocks of width 312 are 1.25.
 */
public final class Flops {
  private static final long MULTIPLY_ADD = 2;

  private Flops() {}

  /**
   * Returns the operations for one row.
   *
   * @param tokens of the row, with special tokens, of both texts where a row has two
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
    long perToken = 4 * width * width + 2 * width * inner; // query, key, value, output; two layers
    long attention = 2 * tokens * tokens * width; // scores, and their sums of values
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

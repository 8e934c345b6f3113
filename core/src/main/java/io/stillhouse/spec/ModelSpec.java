package io.stillhouse.spec;

import java.io.Serializable;
import java.util.Map;

/** The shape of a model that can be trained: its parameters and its head. */
public sealed interface ModelSpec extends Serializable permits EncoderSpec, BiLstmSpec {

  /** Returns every parameter with its shape, in the order of a forward pass. */
  Map<String, long[]> parameters();

  /** Returns the head, which determines what the model predicts. */
  Head head();

  /** Returns the number of token ids in its vocabulary. */
  int vocabSize();

  /** Returns the maximum number of tokens in an input. */
  int maxTokens();

  /** Returns the number of trainable parameters. */
  default long parameterCount() {
    long total = 0;
    for (long[] shape : parameters().values()) {
      long size = 1;
      for (long dimension : shape) {
        size *= dimension;
      }
      total += size;
    }
    return total;
  }
}

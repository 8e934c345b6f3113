package io.stillhouse.jobs.inference;

import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Pairing;
import io.stillhouse.text.Tokenizer;
import java.util.List;

/**
 * A loaded model. It splits rows into batches of similar lengths within a budget of tokens, and
 * returns results in the order of the rows. Instances belong to the thread that opened them.
 */
public interface InferenceModel {
  /** Returns the spec that the model's config describes. */
  ModelSpec spec();

  /** Returns the tokenizer of the model's directory. */
  Tokenizer tokenizer();

  /**
   * Returns the special tokens and the maximum length of rows.
   *
   * @param maxLength maximum number of tokens of a row, at most the model's positions
   */
  default Pairing pairing(int maxLength) {
    Tokenizer tokenizer = tokenizer();
    return new Pairing(
        tokenizer.clsId(), tokenizer.sepId(), Math.min(maxLength, spec().maxTokens()));
  }

  /**
   * Computes the logits of the task head, which may be infinite or NaN if the weights are broken.
   *
   * @param rows rows of at least one token
   * @return (rows, C), before softmax or sigmoid
   * @throws io.stillhouse.error.StillhouseException if the model has no pooled head
   */
  float[][] logits(List<Pairing.Input> rows);

  /**
   * Computes one vector for each row from the last hidden states.
   *
   * @param rows rows of at least one token
   * @return (rows, H), not normalized: see {@link Pooling#normalize}
   * @throws io.stillhouse.error.StillhouseException if the form returns no hidden states, such as a
   *     BiLSTM or an ONNX graph whose only output is its logits
   */
  float[][] embeddings(List<Pairing.Input> rows, Pooling pooling);
}

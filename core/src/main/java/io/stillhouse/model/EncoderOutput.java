package io.stillhouse.model;

import ai.djl.ndarray.NDArray;
import io.stillhouse.spec.AttentionPart;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What a forward pass returns. All tensors belong to the batch's manager.
 *
 * <p>Hidden states are (B, L, D), padded; or, of a pass that computes no padding, (1, N, D), the
 * real tokens one after another. Of one row both are the same. A BiLSTM has none but the last
 * states of its texts.
 *
 * @param last the last hidden state; of a BiLSTM (1, S, 2H), S texts
 * @param hidden the kept hidden states by layer; 0 is the embedding output
 * @param scores the kept attention scores by block from 1, (B, H, L, L), after 1/sqrt(K) and before
 *     the mask
 * @param valueRelations the kept value relations by block from 1, (B, H, L, L), scaled likewise
 * @param vectors the kept queries, keys and values by block from 1, (B, L, D), padded and not yet
 *     scaled
 * @param logits task logits (B, C), or null for a model without a task head
 */
public record EncoderOutput(
    NDArray last,
    Map<Integer, NDArray> hidden,
    Map<Integer, NDArray> scores,
    Map<Integer, NDArray> valueRelations,
    Map<Integer, Map<AttentionPart, NDArray>> vectors,
    @Nullable NDArray logits) {

  /** Returns consecutive rows of every tensor, as views. */
  public EncoderOutput rows(int from, int to) {
    String rows = "%d:%d".formatted(from, to);
    return new EncoderOutput(
        last.get(rows),
        rows(hidden, rows),
        rows(scores, rows),
        rows(valueRelations, rows),
        vectors.entrySet().stream()
            .collect(Collectors.toMap(Map.Entry::getKey, own -> rows(own.getValue(), rows))),
        logits == null ? null : logits.get(rows));
  }

  private static <K> Map<K, NDArray> rows(Map<K, NDArray> all, String rows) {
    return all.entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().get(rows)));
  }

  /** Returns whether hidden states hold real tokens alone. */
  public boolean packed() {
    return last.getShape().get(0) == 1;
  }

  /** Returns a hidden state that was asked for. */
  public NDArray hidden(int layer) {
    return kept(hidden, layer, "hidden state");
  }

  /** Returns the scores of a block that was asked for. */
  public NDArray scores(int block) {
    return kept(scores, block, "attention scores");
  }

  /** Returns the value relations of a block that was asked for. */
  public NDArray valueRelations(int block) {
    return kept(valueRelations, block, "value relations");
  }

  /** Returns the queries, keys or values of a block that were asked for. */
  public NDArray vectors(int block, AttentionPart part) {
    return kept(vectors.getOrDefault(block, Map.of()).get(part), block, part + " vectors");
  }

  private static NDArray kept(Map<Integer, NDArray> arrays, int layer, String what) {
    return kept(arrays.get(layer), layer, what);
  }

  private static NDArray kept(@Nullable NDArray array, int layer, String what) {
    if (array == null) {
      throw new IllegalStateException(what + " " + layer + " were not asked for");
    }
    return array;
  }
}

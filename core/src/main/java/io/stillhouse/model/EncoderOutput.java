package io.stillhouse.model;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import io.stillhouse.spec.AttentionPart;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The output of a forward pass. All tensors are float32 and belong to the batch's manager.
 *
 * <p>Hidden states are padded, (B, L, D); or packed, (1, N, D), the real tokens of all rows one
 * after another, if the pass does not compute padding. For a single row, both are the same. A
 * BiLSTM has only the last states of its texts.
 *
 * @param last the last hidden state; for a BiLSTM (1, S, 2H)
 * @param hidden the kept hidden states by layer; 0 is the embedding output
 * @param scores the kept attention scores by block from 1, (B, H, L, L), divided by sqrt(K), before
 *     the mask
 * @param valueRelations the kept value relations by block from 1, (B, H, L, L), divided by sqrt(K)
 * @param vectors the kept queries, keys and values by block from 1, (B, L, D), padded, before the
 *     division by sqrt(K)
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
    String rows = format("%d:%d", from, to);
    return new EncoderOutput(
        last.get(rows),
        rows(hidden, rows),
        rows(scores, rows),
        rows(valueRelations, rows),
        vectors.entrySet().stream()
            .collect(Collectors.toMap(Map.Entry::getKey, entry -> rows(entry.getValue(), rows))),
        logits == null ? null : logits.get(rows));
  }

  private static <K> Map<K, NDArray> rows(Map<K, NDArray> all, String rows) {
    return all.entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().get(rows)));
  }

  /** Returns whether hidden states are packed. */
  public boolean isPacked() {
    return last.getShape().get(0) == 1;
  }

  /**
   * Returns a kept hidden state.
   *
   * @throws IllegalStateException if it was not kept
   */
  public NDArray hidden(int layer) {
    return kept(hidden, layer, "hidden state");
  }

  /**
   * Returns the kept scores of a block.
   *
   * @throws IllegalStateException if they were not kept
   */
  public NDArray scores(int block) {
    return kept(scores, block, "attention scores");
  }

  /**
   * Returns the kept value relations of a block.
   *
   * @throws IllegalStateException if they were not kept
   */
  public NDArray valueRelations(int block) {
    return kept(valueRelations, block, "value relations");
  }

  /**
   * Returns the kept queries, keys or values of a block.
   *
   * @throws IllegalStateException if they were not kept
   */
  public NDArray vectors(int block, AttentionPart part) {
    return kept(vectors.getOrDefault(block, Map.of()).get(part), block, part + " vectors");
  }

  private static NDArray kept(Map<Integer, NDArray> arrays, int layer, String what) {
    return kept(arrays.get(layer), layer, what);
  }

  private static NDArray kept(@Nullable NDArray array, int layer, String what) {
    if (array == null) {
      throw new IllegalStateException(
          format("the %s of layer %d must be requested in the Capture", what, layer));
    }
    return array;
  }
}

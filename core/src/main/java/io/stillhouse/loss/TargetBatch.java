package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.model.Batch;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import io.stillhouse.target.Targets;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows of targets as padded tensors, float32 whatever they were stored as. Everything belongs to
 * the manager it was made with.
 */
public final class TargetBatch {
  private final NDManager manager;
  private final List<Example> examples;
  private final Batch batch;

  /** Pads rows; targets become tensors when they are asked for. */
  public TargetBatch(NDManager manager, List<Example> examples) {
    this.manager = manager;
    this.examples = List.copyOf(examples);
    this.batch =
        Batch.of(
            manager,
            examples.stream().map(e -> e.inputs().inputIds()).toList(),
            examples.stream().map(e -> e.inputs().typeIds()).toList());
  }

  public Batch batch() {
    return batch;
  }

  Counts counts() {
    return Counts.of(examples);
  }

  /** Returns where the masked tokens lie in the (B L) tokens, (N), int64. */
  NDArray maskedPositionsN() {
    List<Long> positions = new ArrayList<>();
    forEachMasked((position, label) -> positions.add(position));
    return manager.create(positions.stream().mapToLong(Long::longValue).toArray());
  }

  /**
   * Returns the original ids of the masked tokens, (N), int64, in the order of {@link
   * #maskedPositionsN()}.
   */
  NDArray maskedLabelsN() {
    List<Long> labels = new ArrayList<>();
    forEachMasked((position, label) -> labels.add((long) label));
    return manager.create(labels.stream().mapToLong(Long::longValue).toArray());
  }

  /** Returns where the real tokens lie in the (B L) tokens, (N), int64. */
  NDArray realPositionsN() {
    long[] positions = new long[(int) batch.tokens()];
    int next = 0;
    for (int row = 0; row < batch.rows(); row++) {
      for (int t = 0; t < batch.lengths()[row]; t++) {
        positions[next++] = (long) row * batch.longest() + t;
      }
    }
    return manager.create(positions);
  }

  /** Returns class ids, (B), int64. */
  NDArray classesB() {
    return manager.create(examples.stream().mapToLong(e -> (long) e.inputs().label()).toArray());
  }

  /** Returns scores, (B), float32. */
  NDArray scoresB() {
    float[] scores = new float[examples.size()];
    for (int row = 0; row < scores.length; row++) {
      scores[row] = (float) examples.get(row).inputs().label();
    }
    return manager.create(scores);
  }

  /** Returns the teacher's task logits, (B, C). */
  NDArray logitsBC() {
    Dtype dtype = examples.get(0).dtype();
    int classes = examples.get(0).cell(Targets.LOGITS).length / dtype.bytes();
    ByteBuffer bytes = buffer((long) examples.size() * classes * dtype.bytes());
    for (Example example : examples) {
      bytes.put(example.cell(Targets.LOGITS));
    }
    return tensor(bytes, new Shape(examples.size(), classes), dtype);
  }

  /** Returns a teacher hidden state, (B, L, D), zero at padding. */
  NDArray hiddenBLD(int layer) {
    Column column = Targets.hidden(layer);
    Example first = examples.get(0);
    Dtype dtype = first.dtype();
    int tokenBytes = first.cell(column).length / first.length();
    ByteBuffer bytes = buffer((long) batch.rows() * batch.longest() * tokenBytes);
    for (int row = 0; row < batch.rows(); row++) {
      bytes.position(row * batch.longest() * tokenBytes).put(examples.get(row).cell(column));
    }
    return tensor(
        bytes, new Shape(batch.rows(), batch.longest(), tokenBytes / dtype.bytes()), dtype);
  }

  /** Returns a teacher block's scores, (B, H, L, L), zero at padding. */
  NDArray attentionBHLL(int block) {
    Column column = Targets.attention(block);
    Example first = examples.get(0);
    Dtype dtype = first.dtype();
    int heads = first.cell(column).length / dtype.bytes() / first.length() / first.length();
    int longest = batch.longest();
    ByteBuffer bytes = buffer((long) batch.rows() * heads * longest * longest * dtype.bytes());
    for (int row = 0; row < batch.rows(); row++) {
      byte[] cell = examples.get(row).cell(column);
      int length = batch.lengths()[row];
      int line = length * dtype.bytes();
      for (int head = 0; head < heads; head++) {
        for (int query = 0; query < length; query++) {
          int to = ((row * heads + head) * longest + query) * longest * dtype.bytes();
          bytes.position(to).put(cell, (head * length + query) * line, line);
        }
      }
    }
    return tensor(bytes, new Shape(batch.rows(), heads, longest, longest), dtype);
  }

  private void forEachMasked(MaskedToken action) {
    for (int row = 0; row < batch.rows(); row++) {
      int[] labels = examples.get(row).inputs().mlmLabels();
      if (labels == null) {
        continue;
      }
      for (int t = 0; t < labels.length; t++) {
        if (labels[t] != TargetSource.IGNORED) {
          action.at((long) row * batch.longest() + t, labels[t]);
        }
      }
    }
  }

  private interface MaskedToken {
    void at(long position, int label);
  }

  private NDArray tensor(ByteBuffer bytes, Shape shape, Dtype dtype) {
    try (NDArray stored = manager.create(bytes.rewind(), shape, DataType.valueOf(dtype.name()))) {
      // A copy even of float32: sums of a matrix product depend on how its memory is aligned, which
      // Java's is not.
      return stored.toType(DataType.FLOAT32, true);
    }
  }

  private static ByteBuffer buffer(long bytes) {
    return ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
  }
}

package io.stillhouse.codec;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.TargetSource;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** Decodes the stored masked-LM soft labels of some tokens. */
final class MlmCells {
  private final NDManager manager;
  private final MlmTargets mlm;
  private final List<Token> tokens = new ArrayList<>();

  /**
   * A token with soft labels.
   *
   * @param index index of the token among those in the row's cells
   * @param count number of tokens in the row's cells
   */
  private record Token(Example row, int index, int count) {}

  /**
   * Finds the tokens.
   *
   * @param positions which tokens to decode; they are in the order of rows, and of tokens in a row
   * @throws IllegalStateException if one of these tokens has no soft labels
   */
  MlmCells(NDManager manager, MlmTargets mlm, List<Example> rows, Positions positions) {
    this.manager = manager;
    this.mlm = mlm;
    for (Example row : rows) {
      int[] labels = row.inputs().mlmLabels();
      int[] indices = mlm.indices(row.length(), labels);
      int count = 0;
      for (int index : indices) {
        count = Math.max(count, index + 1);
      }
      for (int t = 0; t < indices.length; t++) {
        boolean wanted =
            positions == Positions.ALL || (labels != null && labels[t] != TargetSource.IGNORED);
        if (wanted && indices[t] < 0) {
          throw new IllegalStateException(
              format("only the masked tokens of '%s' have soft labels", row.id()));
        }
        if (wanted) {
          tokens.add(new Token(row, indices[t], count));
        }
      }
    }
  }

  /** Returns the logits, (N, V), of {@link MlmTargets.Kind#DENSE}. */
  NDArray logitsNV() {
    return numbers(mlm.dense());
  }

  /** Returns the distributions at a temperature for which the cells were written. */
  SoftLabels softLabels(double temperature) {
    return switch (mlm.kind()) {
      case DENSE -> SoftLabels.dense(logitsNV(), temperature);
      case TOP_K ->
          SoftLabels.top(
              topIds(),
              numbers(mlm.topLogits()),
              numbers(mlm.logPartition(temperature)),
              temperature);
      case SAMPLED -> sampled();
      case NONE, DERIVED ->
          throw new IllegalStateException(format("%s stores no soft labels", mlm.kind()));
    };
  }

  /** Returns the numbers of a column with W numbers per token, (N, W). */
  private NDArray numbers(Column column) {
    Token first = tokens.get(0);
    Dtype dtype = first.row().dtype(column);
    int width = dtype.width(first.row().cell(column).length, first.count());
    LineBuffer lines = LineBuffer.padded(dtype, tokens.size(), width);
    for (int n = 0; n < tokens.size(); n++) {
      Token token = tokens.get(n);
      lines.put(token.row().cell(column), token.count(), token.index(), n);
    }
    return lines.tensor(manager, new Shape(tokens.size(), width));
  }

  private NDArray topIds() {
    int k = mlm.count();
    long[] ids = new long[tokens.size() * k];
    for (int n = 0; n < tokens.size(); n++) {
      Token token = tokens.get(n);
      byte[] cell = token.row().cell(mlm.topIds());
      int bytes = cell.length / token.count() / k;
      for (int i = 0; i < k; i++) {
        ids[n * k + i] = id(cell, bytes, token.index() * k + i);
      }
    }
    return manager.create(ids, new Shape(tokens.size(), k));
  }

  private SoftLabels sampled() {
    List<long[]> ids = new ArrayList<>();
    List<float[]> shares = new ArrayList<>();
    int widest = 1;
    for (Token token : tokens) {
      draw(token, ids, shares);
      widest = Math.max(widest, ids.get(ids.size() - 1).length);
    }
    long[] flatIds = new long[tokens.size() * widest];
    float[] flatShares = new float[flatIds.length];
    for (int n = 0; n < tokens.size(); n++) {
      System.arraycopy(ids.get(n), 0, flatIds, n * widest, ids.get(n).length);
      System.arraycopy(shares.get(n), 0, flatShares, n * widest, shares.get(n).length);
    }
    Shape shape = new Shape(tokens.size(), widest);
    return SoftLabels.sampled(
        manager.create(flatIds, shape),
        manager.create(flatShares, shape),
        numbers(mlm.sampleEntropy()));
  }

  /**
   * Adds a token's distinct draws and their shares. Cells do not store where a token's draws begin:
   * the counts of each token before it add up to the number of draws.
   */
  private void draw(Token token, List<long[]> ids, List<float[]> shares) {
    byte[] counts = token.row().cell(mlm.sampleCounts());
    byte[] cell = token.row().cell(mlm.sampleIds());
    int bytes = cell.length / counts.length;
    int at = 0;
    for (int before = 0; before < token.index() * mlm.count(); at++) {
      before += counts[at] & 0xff;
    }
    int end = at;
    for (int drawn = 0; drawn < mlm.count(); end++) {
      drawn += counts[end] & 0xff;
    }
    long[] tokenIds = new long[end - at];
    float[] share = new float[end - at];
    for (int i = 0; i < tokenIds.length; i++) {
      tokenIds[i] = id(cell, bytes, at + i);
      share[i] = (float) (counts[at + i] & 0xff) / mlm.count();
    }
    ids.add(tokenIds);
    shares.add(share);
  }

  private static long id(byte[] cell, int bytes, int index) {
    ByteBuffer buffer = ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN);
    return bytes == Short.BYTES
        ? buffer.getShort(Short.BYTES * index) & 0xffff
        : buffer.getInt(Integer.BYTES * index);
  }
}

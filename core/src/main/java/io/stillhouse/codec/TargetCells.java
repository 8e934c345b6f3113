package io.stillhouse.codec;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.model.Batch;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Int8;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/** Encodes a batch's float32 tensors into cells, one for each row, without padding. */
public final class TargetCells {
  private static final float MAX_FLOAT16 = 65_504;

  private TargetCells() {}

  /** Encodes one vector for each row, (B, C). */
  public static List<byte[]> vectors(NDArray tensorBC, Dtype dtype) {
    int width = (int) tensorBC.getShape().get(1);
    Numbers numbers = Numbers.of(tensorBC, dtype);
    List<byte[]> cells = new ArrayList<>();
    for (int row = 0; row < tensorBC.getShape().get(0); row++) {
      cells.add(numbers.block(row * width, 1, width));
    }
    return cells;
  }

  /** Encodes the vectors of real tokens, (B, L, D). */
  public static List<byte[]> tokens(NDArray tensorBLD, Batch batch, Dtype dtype) {
    int width = (int) tensorBLD.getShape().get(2);
    Numbers numbers = Numbers.of(tensorBLD, dtype);
    List<byte[]> cells = new ArrayList<>();
    for (int row = 0; row < batch.rows(); row++) {
      cells.add(numbers.block(row * batch.longest() * width, batch.lengths()[row], width));
    }
    return cells;
  }

  /** Encodes the numbers of pairs of real tokens, (B, H, L, L). */
  public static List<byte[]> pairs(NDArray tensorBHLL, Batch batch, Dtype dtype) {
    int heads = (int) tensorBHLL.getShape().get(1);
    int longest = batch.longest();
    Numbers numbers = Numbers.of(tensorBHLL, dtype);
    List<byte[]> cells = new ArrayList<>();
    for (int row = 0; row < batch.rows(); row++) {
      cells.add(numbers.squares(row * heads * longest * longest, heads, longest, batch, row));
    }
    return cells;
  }

  /**
   * Encodes groups of consecutive vectors, (N, W), as one cell per group.
   *
   * @param sizes number of vectors in each group
   */
  static List<byte[]> groups(NDArray tensorNW, int[] sizes, Dtype dtype) {
    int width = (int) tensorNW.getShape().get(1);
    Numbers numbers = Numbers.of(tensorNW, dtype);
    List<byte[]> cells = new ArrayList<>();
    int at = 0;
    for (int size : sizes) {
      cells.add(numbers.block(at * width, size, width));
      at += size;
    }
    return cells;
  }

  /**
   * Returns which rows have a number that is not finite, or that a dtype cannot represent, in any
   * captured state or logit.
   *
   * @param dtype dtype of the stored states; logits are stored as float32
   * @param rows number of rows of the batch
   */
  public static boolean[] invalidRows(EncoderOutput output, Dtype dtype, int rows) {
    boolean[] invalidRow = new boolean[rows];
    List<NDArray> stored = new ArrayList<>(output.hidden().values());
    stored.addAll(output.scores().values());
    stored.addAll(output.valueRelations().values());
    stored.forEach(tensor -> add(invalidRows(tensor, dtype), invalidRow));
    add(invalidRows(output.last(), Dtype.FLOAT32), invalidRow);
    if (output.logits() != null) {
      add(invalidRows(output.logits(), Dtype.FLOAT32), invalidRow);
    }
    return invalidRow;
  }

  private static void add(boolean[] more, boolean[] to) {
    for (int row = 0; row < to.length; row++) {
      to[row] |= more[row];
    }
  }

  /**
   * Returns which rows of a tensor, (B, ...), have a number that is not finite or that overflows
   * its dtype. Padding is checked, too, because an encoder leaves finite numbers there.
   */
  public static boolean[] invalidRows(NDArray tensor, Dtype dtype) {
    long rows = tensor.getShape().get(0);
    boolean[] invalidRow = new boolean[(int) rows];
    if (tensor.size() == 0) {
      return invalidRow;
    }
    try (NDArray flat = tensor.reshape(new Shape(rows, -1));
        NDArray wide = flat.abs();
        NDArray sums = wide.sum(new int[] {1})) {
      float[] values = sums.toFloatArray();
      for (int row = 0; row < invalidRow.length; row++) {
        // If the sum of magnitudes fits float16, so does every number.
        invalidRow[row] =
            !Float.isFinite(values[row])
                || (dtype == Dtype.FLOAT16
                    && values[row] > MAX_FLOAT16
                    && wide.get(row).max().getFloat() > MAX_FLOAT16);
      }
    }
    return invalidRow;
  }

  /**
   * The numbers of a tensor as bytes: in the dtype, or in float32 if they are yet to be quantized.
   */
  private record Numbers(ByteBuffer bytes, Dtype dtype) {
    static Numbers of(NDArray tensor, Dtype dtype) {
      NDArray stored = dtype == Dtype.FLOAT16 ? tensor.toType(DataType.FLOAT16, false) : tensor;
      return new Numbers(stored.toByteBuffer(true).order(ByteOrder.LITTLE_ENDIAN), dtype);
    }

    /** Encodes contiguous lines; {@code from} is the index of the first number. */
    byte[] block(int from, int lines, int width) {
      if (dtype == Dtype.INT8) {
        return Int8.encode(bytes.asFloatBuffer().position(from), lines, width);
      }
      byte[] cell = new byte[dtype.bytes(lines, width)];
      bytes.get(from * dtype.bytes(), cell);
      return cell;
    }

    /** Encodes the part of each head's (L, L) that belongs to real tokens. */
    byte[] squares(int from, int heads, int longest, Batch batch, int row) {
      int length = batch.lengths()[row];
      FloatBuffer floats = FloatBuffer.allocate(dtype == Dtype.INT8 ? heads * length * length : 0);
      byte[] cell = new byte[dtype.bytes(heads * length, length)];
      for (int line = 0; line < heads * length; line++) {
        int at = from + (line / length * longest + line % length) * longest;
        if (dtype == Dtype.INT8) {
          floats.put(bytes.asFloatBuffer().slice(at, length));
        } else {
          int lineBytes = length * dtype.bytes();
          bytes.get(at * dtype.bytes(), cell, line * lineBytes, lineBytes);
        }
      }
      return dtype == Dtype.INT8 ? Int8.encode(floats.flip(), heads * length, length) : cell;
    }
  }
}

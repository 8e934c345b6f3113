package io.stillhouse.jobs.corpus;

import io.stillhouse.target.Example;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One row of the inputs family.
 *
 * @param id the row's key
 * @param text what was tokenised
 * @param pair the second text, or null
 * @param inputIds token ids, [L], [CLS] and [SEP] included
 * @param typeIds segment of each token, [L]
 * @param mlmLabels original ids at masked positions and -100 elsewhere, or null
 * @param label class id or score, or null
 * @param status null, or why the row has no tokens
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record InputRow(
    String id,
    String text,
    String pair,
    int[] inputIds,
    int[] typeIds,
    int[] mlmLabels,
    Double label,
    String status)
    implements Serializable {

  /** Returns a row without tokens, and so without targets. */
  static InputRow invalid(String id, String text, String pair, String reason) {
    return new InputRow(id, text, pair, new int[0], new int[0], null, null, reason);
  }

  /** Returns whether the row has tokens. */
  public boolean sound() {
    return status == null;
  }

  /** Returns the number of tokens. */
  public int length() {
    return inputIds.length;
  }

  /** Returns the row without targets, as the trainer takes it. */
  public Example.Inputs inputs() {
    return new Example.Inputs(inputIds, typeIds, mlmLabels, label == null ? Double.NaN : label);
  }

  /** Returns the values of {@link io.stillhouse.target.Targets#INPUTS}, in order. */
  public Object[] values() {
    return new Object[] {
      id, length(), text, pair, bytes(inputIds), bytes(typeIds), bytes(mlmLabels), label, status
    };
  }

  /** Reads {@link #values()} back. */
  public static InputRow of(Object[] values) {
    return new InputRow(
        (String) values[0],
        (String) values[2],
        (String) values[3],
        ints(values[4]),
        ints(values[5]),
        ints(values[6]),
        (Double) values[7],
        (String) values[8]);
  }

  private static byte[] bytes(int[] numbers) {
    if (numbers == null) {
      return null;
    }
    ByteBuffer buffer = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asIntBuffer().put(numbers);
    return buffer.array();
  }

  private static int[] ints(Object cell) {
    if (cell == null) {
      return null;
    }
    byte[] bytes = (byte[]) cell;
    int[] numbers = new int[bytes.length / 4];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(numbers);
    return numbers;
  }
}

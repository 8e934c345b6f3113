package io.stillhouse.jobs.corpus;

import io.stillhouse.target.Example;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * One row of the inputs family.
 *
 * @param id the key of the row
 * @param text the text that was tokenized
 * @param pair the second text, or null
 * @param tokens the tokens
 * @param label class id, score or label set; null if there is none
 * @param status null for a valid row, otherwise the reason why it has no tokens
 */
public record InputRow(
    String id,
    String text,
    @Nullable String pair,
    Tokens tokens,
    @Nullable Double label,
    @Nullable String status)
    implements Serializable {

  /**
   * The tokens of a row.
   *
   * @param ids token ids, shape (L), including [CLS] and [SEP]
   * @param types segment of each token, shape (L)
   * @param mlmLabels original ids at masked positions and -100 elsewhere, shape (L); null if the
   *     row is not masked
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Tokens(int[] ids, int[] types, int @Nullable [] mlmLabels)
      implements Serializable {}

  /** Returns a row without tokens, which therefore has no targets. */
  static InputRow invalid(String id, String text, @Nullable String pair, String reason) {
    return new InputRow(id, text, pair, new Tokens(new int[0], new int[0], null), null, reason);
  }

  /** Returns whether the row has tokens. */
  public boolean hasTokens() {
    return status == null;
  }

  /** Returns the token ids, shape (L). */
  public int[] inputIds() {
    return tokens.ids();
  }

  /** Returns the segment of each token, shape (L). */
  public int[] typeIds() {
    return tokens.types();
  }

  /** Returns the original ids at masked positions and -100 elsewhere; null if not masked. */
  public int @Nullable [] mlmLabels() {
    return tokens.mlmLabels();
  }

  /** Returns the number of tokens. */
  public int length() {
    return tokens.ids().length;
  }

  /** Returns the inputs of a training example. */
  public Example.Inputs inputs() {
    return new Example.Inputs(
        inputIds(), typeIds(), mlmLabels(), label == null ? Double.NaN : label);
  }

  /** Returns the cells of {@link io.stillhouse.target.Targets#INPUTS}, in order. */
  public @Nullable Object[] values() {
    return new @Nullable Object[] {
      id,
      length(),
      text,
      pair,
      bytes(inputIds()),
      bytes(typeIds()),
      mlmLabels() == null ? null : bytes(mlmLabels()),
      label,
      status
    };
  }

  /** Reads cells that {@link #values()} returned. */
  public static InputRow of(@Nullable Object[] values) {
    Tokens tokens =
        new Tokens(
            ints((byte[]) values[4]),
            ints((byte[]) values[5]),
            values[6] == null ? null : ints((byte[]) values[6]));
    return new InputRow(
        (String) values[0],
        (String) values[2],
        (String) values[3],
        tokens,
        (Double) values[7],
        (String) values[8]);
  }

  private static byte[] bytes(int[] numbers) {
    ByteBuffer buffer = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asIntBuffer().put(numbers);
    return buffer.array();
  }

  private static int[] ints(byte[] bytes) {
    int[] numbers = new int[bytes.length / 4];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(numbers);
    return numbers;
  }
}

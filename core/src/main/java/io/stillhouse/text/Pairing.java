package io.stillhouse.text;

import java.util.Arrays;

/**
 * Adds the special tokens: {@code [CLS] a [SEP]}, or {@code [CLS] a [SEP] b [SEP]} with token type
 * 0 up to the first [SEP] and 1 after it.
 */
public final class Pairing {
  private static final int SINGLE_SPECIAL_TOKENS = 2;
  private static final int PAIR_SPECIAL_TOKENS = 3;

  /** One row as an encoder reads it. The arrays have equal length and must not be modified. */
  public static final class Input {
    private final int[] ids;
    private final int[] tokenTypes;

    /**
     * Creates an input from tokens that already include the special tokens.
     *
     * @param ids token ids, shape (L)
     * @param tokenTypes segment of each token, shape (L)
     */
    public Input(int[] ids, int[] tokenTypes) {
      this.ids = ids;
      this.tokenTypes = tokenTypes;
    }

    public int[] ids() {
      return ids;
    }

    public int[] tokenTypes() {
      return tokenTypes;
    }
  }

  private final int clsId;
  private final int sepId;
  private final int maxLength;

  /**
   * Creates a pairing.
   *
   * @param maxLength maximum number of tokens of an input, including special tokens; at least 3
   */
  public Pairing(int clsId, int sepId, int maxLength) {
    if (maxLength < PAIR_SPECIAL_TOKENS) {
      throw new IllegalArgumentException("maxLength must be at least 3, but is " + maxLength);
    }
    this.clsId = clsId;
    this.sepId = sepId;
    this.maxLength = maxLength;
  }

  /** Returns {@code [CLS] a [SEP]}, dropping the end of {@code a} if it is too long. */
  public Input single(int[] a) {
    int kept = Math.min(a.length, maxLength - SINGLE_SPECIAL_TOKENS);
    int[] ids = new int[kept + SINGLE_SPECIAL_TOKENS];
    ids[0] = clsId;
    System.arraycopy(a, 0, ids, 1, kept);
    ids[kept + 1] = sepId;
    return new Input(ids, new int[ids.length]);
  }

  /**
   * Returns {@code [CLS] a [SEP] b [SEP]}. If that is too long, tokens are dropped from the end of
   * the longer text until both are equally long, then from both. If the number of remaining tokens
   * is odd, the text that was longer keeps the extra token, or {@code b} if both were equally long.
   * This is {@code longest_first} of Hugging Face's tokenizers library (compared with version
   * 0.23.3).
   */
  public Input pair(int[] a, int[] b) {
    int room = maxLength - PAIR_SPECIAL_TOKENS;
    int keptOfA = a.length;
    int keptOfB = b.length;
    if (a.length + b.length > room) {
      int shorter = Math.min(Math.min(a.length, b.length), room / 2);
      int longer = room - shorter;
      keptOfA = a.length > b.length ? longer : shorter;
      keptOfB = room - keptOfA;
    }
    int[] ids = new int[keptOfA + keptOfB + PAIR_SPECIAL_TOKENS];
    ids[0] = clsId;
    System.arraycopy(a, 0, ids, 1, keptOfA);
    ids[keptOfA + 1] = sepId;
    System.arraycopy(b, 0, ids, keptOfA + 2, keptOfB);
    ids[ids.length - 1] = sepId;
    int[] tokenTypes = new int[ids.length];
    Arrays.fill(tokenTypes, keptOfA + 2, ids.length, 1);
    return new Input(ids, tokenTypes);
  }
}

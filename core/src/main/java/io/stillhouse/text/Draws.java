package io.stillhouse.text;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.SplittableRandom;

/**
 * Draws that depend on the seed, a row's key and a place in it: on no machine, no order of rows.
 */
public final class Draws {
  private Draws() {}

  /**
   * Returns the draws of a place.
   *
   * @param place such as the number of a copy
   */
  public static SplittableRandom of(long seed, String rowKey, int... place) {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
    ByteBuffer numbers = ByteBuffer.allocate(Long.BYTES + place.length * Integer.BYTES);
    numbers.putLong(seed);
    for (int number : place) {
      numbers.putInt(number);
    }
    digest.update(numbers.array());
    return new SplittableRandom(
        ByteBuffer.wrap(digest.digest(rowKey.getBytes(StandardCharsets.UTF_8))).getLong());
  }
}

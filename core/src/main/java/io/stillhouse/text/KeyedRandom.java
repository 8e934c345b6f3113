package io.stillhouse.text;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.SplittableRandom;

/**
 * Random numbers that depend only on the seed, a row's key and a place in that row, and not on the
 * machine or the order of the rows.
 */
public final class KeyedRandom {
  private KeyedRandom() {}

  /**
   * Returns the generator for one place in a row.
   *
   * @param place numbers that identify the place, such as the number of a copy
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

package io.stillhouse.jobs.cache;

import io.stillhouse.target.Column;
import io.stillhouse.target.Targets;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What tells a row of one cache from those of another.
 *
 * @param id its key
 * @param text the beginning of its text; a cache keeps what is left of a text that was cut
 * @param pair the beginning of its second text
 * @param tokens hash of its token ids and masked positions; 0 where these were not read
 * @param sound whether it has tokens
 * @param taught whether it has targets
 */
public record RowKey(
    String id, String text, String pair, long tokens, boolean sound, boolean taught) {
  private static final int BEGINNING = 24;

  /** What is read with a key. */
  public enum With {
    TEXT,
    TEXT_AND_TOKENS
  }

  static List<Column> columns(With with) {
    return switch (with) {
      case TEXT -> List.of(Targets.ID, Targets.STATUS, Targets.TEXT, Targets.PAIR);
      case TEXT_AND_TOKENS ->
          List.of(
              Targets.ID,
              Targets.STATUS,
              Targets.TEXT,
              Targets.PAIR,
              Targets.INPUT_IDS,
              Targets.MLM_LABELS);
    };
  }

  /**
   * Reads the values of {@link #columns}.
   *
   * @param poison whether its teacher's output was not finite
   */
  static RowKey of(Object[] values, boolean poison) {
    boolean sound = values[1] == null;
    return new RowKey(
        (String) values[0],
        beginning((String) values[2]),
        beginning((String) values[3]),
        values.length > 4 ? hash((byte[]) values[4], (byte[]) values[5]) : 0,
        sound,
        sound && !poison);
  }

  private static String beginning(@Nullable String text) {
    return text == null ? "" : text.substring(0, Math.min(BEGINNING, text.length()));
  }

  /** Returns whether texts may be of one row: one begins as the other does. */
  boolean sameText(RowKey other) {
    return same(text, other.text) && same(pair, other.pair);
  }

  private static boolean same(String one, String other) {
    return one.startsWith(other) || other.startsWith(one);
  }

  private static long hash(byte @Nullable [] one, byte @Nullable [] two) {
    MessageDigest digest = Storage.digest();
    for (byte[] part : new byte[][] {one, two}) {
      digest.update(ByteBuffer.allocate(4).putInt(part == null ? -1 : part.length).array());
      digest.update(part == null ? new byte[0] : part);
    }
    return ByteBuffer.wrap(digest.digest()).getLong();
  }
}

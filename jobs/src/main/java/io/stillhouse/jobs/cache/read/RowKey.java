package io.stillhouse.jobs.cache.read;

import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Targets;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What tells a row of one cache from those of another.
 *
 * @param id its key
 * @param text what is kept of its text
 * @param pair likewise of its second one
 * @param tokens hash of its token ids and masked positions; 0 where these were not read
 * @param sound whether it has tokens
 * @param taught whether it has targets
 */
public record RowKey(String id, Text text, Text pair, long tokens, boolean sound, boolean taught) {
  private static final int BEGINNING = 24;

  /**
   * What is kept of a text, of which a cache has what was left when it was cut.
   *
   * @param length in characters
   * @param hash of all of it
   */
  record Text(String beginning, int length, long hash) {
    static Text of(@Nullable String text) {
      String all = text == null ? "" : text;
      return new Text(
          all.substring(0, Math.min(BEGINNING, all.length())),
          all.length(),
          RowKey.hash(all.getBytes(StandardCharsets.UTF_8)));
    }

    /**
     * Returns whether the two may be of one row: equal, or one begins as the other does. No text is
     * cut to nothing, so an empty one is no other's beginning.
     */
    boolean same(Text other) {
      if (length == 0 || other.length == 0) {
        return length == other.length;
      }
      return length == other.length
          ? hash == other.hash
          : beginning.startsWith(other.beginning) || other.beginning.startsWith(beginning);
    }
  }

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
   * @param invalid whether its teacher's output was not finite
   */
  static RowKey of(Object[] values, boolean invalid) {
    boolean sound = values[1] == null;
    return new RowKey(
        (String) values[0],
        Text.of((String) values[2]),
        Text.of((String) values[3]),
        values.length > 4 ? hash((byte[]) values[4], (byte[]) values[5]) : 0,
        sound,
        sound && !invalid);
  }

  /** Returns whether texts may be of one row: equal, or what one was cut to. */
  boolean sameText(RowKey other) {
    return text.same(other.text) && pair.same(other.pair);
  }

  private static long hash(byte @Nullable []... parts) {
    MessageDigest digest = Storage.digest();
    for (byte[] part : parts) {
      digest.update(ByteBuffer.allocate(4).putInt(part == null ? -1 : part.length).array());
      digest.update(part == null ? new byte[0] : part);
    }
    return ByteBuffer.wrap(digest.digest()).getLong();
  }
}

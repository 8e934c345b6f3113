package io.stillhouse.jobs.cache.read;

import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Targets;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Identifies a row across caches.
 *
 * @param id its key
 * @param text digest of its text
 * @param pair digest of its second text
 * @param tokens hash of its token ids and masked positions; 0 if these were not read
 * @param hasTokens whether it has tokens
 * @param hasTargets whether it has targets
 */
public record RowKey(
    String id, Text text, Text pair, long tokens, boolean hasTokens, boolean hasTargets) {
  private static final int BEGINNING = 24;

  /**
   * A digest of a text. A cache holds texts as they are after truncation.
   *
   * @param beginning its first characters
   * @param length length in characters
   * @param hash hash of the whole text
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
     * Returns whether the two may be of the same row: they are equal, or one is a prefix of the
     * other. No text is truncated to nothing, so an empty text equals only an empty one.
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

  /** Selects what is read with a key. */
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
   * Returns the key of a row.
   *
   * @param values values of {@link #columns}
   * @param invalid whether its teacher's output was not finite
   */
  static RowKey of(Object[] values, boolean invalid) {
    boolean hasTokens = values[1] == null;
    return new RowKey(
        (String) values[0],
        Text.of((String) values[2]),
        Text.of((String) values[3]),
        values.length > 4 ? hash((byte[]) values[4], (byte[]) values[5]) : 0,
        hasTokens,
        hasTokens && !invalid);
  }

  /** Returns whether the texts may be of the same row: equal, or truncated to different lengths. */
  boolean sameText(RowKey other) {
    return text.same(other.text) && pair.same(other.pair);
  }

  private static long hash(byte @Nullable [] part) {
    return hash(List.of(Optional.ofNullable(part)));
  }

  private static long hash(byte @Nullable [] ids, byte @Nullable [] types) {
    return hash(List.of(Optional.ofNullable(ids), Optional.ofNullable(types)));
  }

  private static long hash(List<Optional<byte[]>> parts) {
    MessageDigest digest = Storage.digest();
    for (Optional<byte[]> part : parts) {
      digest.update(ByteBuffer.allocate(4).putInt(part.map(p -> p.length).orElse(-1)).array());
      digest.update(part.orElse(new byte[0]));
    }
    return ByteBuffer.wrap(digest.digest()).getLong();
  }
}

package io.stillhouse.jobs.storage;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** Appends to a JSON object a hash of everything before it, and checks such hashes. */
public final class Seal {
  private static final String BEFORE = ",\n  \"sha256\": \"";
  private static final String AFTER = "\"\n}\n";

  private Seal() {}

  /** Returns an indented JSON object with {@code sha256} as its last member. */
  public static String seal(String json) {
    String text = json.strip();
    String body = text.substring(0, text.length() - 1).stripTrailing();
    return body + BEFORE + hash(body) + AFTER;
  }

  /** Returns a sealed text, or null if it has changed since it was sealed. */
  public static @Nullable String open(String text) {
    int at = text.lastIndexOf(BEFORE);
    if (at < 0) {
      return null;
    }
    String body = text.substring(0, at);
    return text.equals(body + BEFORE + hash(body) + AFTER) ? text : null;
  }

  /**
   * Returns the record of a sealed text, or null if the text has changed since it was sealed or is
   * not such a record.
   */
  public static <T> @Nullable T read(String text, Class<T> type) {
    String sound = open(text);
    if (sound == null) {
      return null;
    }
    try {
      T value = Storage.JSON.fromJson(sound, type);
      return Completeness.isComplete(value) ? value : null;
    } catch (RuntimeException e) {
      // Gson, and the records that it fills, throw different unchecked exceptions.
      return null;
    }
  }

  /** Returns the hash at the end of a sealed text. */
  public static String of(String sealed) {
    int at = sealed.lastIndexOf(BEFORE) + BEFORE.length();
    return sealed.substring(at, sealed.length() - AFTER.length());
  }

  private static String hash(String text) {
    return HexFormat.of().formatHex(Storage.digest().digest(text.getBytes(StandardCharsets.UTF_8)));
  }
}

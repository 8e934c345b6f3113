package io.stillhouse.jobs.storage;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** A hash at the end of a JSON object, over everything before it: no bit can change unnoticed. */
public final class Seal {
  private static final String BEFORE = ",\n  \"sha256\": \"";
  private static final String AFTER = "\"\n}\n";

  private Seal() {}

  /** Returns a pretty-printed JSON object with a last member {@code sha256}. */
  public static String seal(String json) {
    String text = json.strip();
    String body = text.substring(0, text.length() - 1).stripTrailing();
    return body + BEFORE + hash(body) + AFTER;
  }

  /** Returns a sealed text, or null if it is not what was sealed. */
  public static @Nullable String open(String text) {
    int at = text.lastIndexOf(BEFORE);
    if (at < 0) {
      return null;
    }
    String body = text.substring(0, at);
    return text.equals(body + BEFORE + hash(body) + AFTER) ? text : null;
  }

  /** Returns the hash that a sealed text ends with. */
  public static String of(String sealed) {
    int at = sealed.lastIndexOf(BEFORE) + BEFORE.length();
    return sealed.substring(at, sealed.length() - AFTER.length());
  }

  private static String hash(String text) {
    return HexFormat.of().formatHex(Storage.digest().digest(text.getBytes(StandardCharsets.UTF_8)));
  }
}

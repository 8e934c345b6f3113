package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.error.Errors;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A token that is found in the text before it is split into words.
 *
 * @param content the token
 * @param flags how it is found
 * @param special whether it is a special token, such as {@code [MASK]}
 */
record AddedToken(String content, Flags flags, boolean special) {
  /**
   * How an added token is found in a text.
   *
   * @param singleWord only as a word of its own
   * @param lstrip together with the white space before it
   * @param rstrip together with the white space after it
   * @param normalized in the normalized text; null means in the normalized text unless it is
   *     special
   */
  record Flags(boolean singleWord, boolean lstrip, boolean rstrip, @Nullable Boolean normalized) {}

  private static final Flags PLAIN = new Flags(false, false, false, null);

  /** Returns a special token that is found as it is written. */
  static AddedToken special(String content) {
    return new AddedToken(content, PLAIN, true);
  }

  /** Returns a token of {@code added_tokens.json}. */
  static AddedToken legacy(String content, boolean special) {
    return new AddedToken(content, new Flags(false, false, false, !special), special);
  }

  /** Reads a token from JSON, such as an entry of {@code added_tokens_decoder}. */
  static AddedToken of(Path file, JsonElement json) {
    if (!json.isJsonObject()
        || !json.getAsJsonObject().has("content")
        || !json.getAsJsonObject().get("content").isJsonPrimitive()) {
      throw Errors.invalid(
          format(
              "'%s' has the added token %s, but an added token is an object with a content",
              file, Errors.shortened(json.toString())),
          "copy the file again");
    }
    JsonObject token = json.getAsJsonObject();
    return new AddedToken(
        token.get("content").getAsString(),
        new Flags(
            flag(file, token, "single_word"),
            flag(file, token, "lstrip"),
            flag(file, token, "rstrip"),
            token.has("normalized") ? (Boolean) flag(file, token, "normalized") : null),
        flag(file, token, "special"));
  }

  AddedToken asSpecial() {
    return new AddedToken(content, flags, true);
  }

  /** Returns the entry of {@code added_tokens} in a {@code tokenizer.json}. */
  JsonObject json(int id) {
    JsonObject json = new JsonObject();
    json.addProperty("id", id);
    json.addProperty("content", content);
    json.addProperty("single_word", flags.singleWord());
    json.addProperty("lstrip", flags.lstrip());
    json.addProperty("rstrip", flags.rstrip());
    Boolean normalized = flags.normalized();
    json.addProperty("normalized", normalized == null ? !special : normalized);
    json.addProperty("special", special);
    return json;
  }

  private static boolean flag(Path file, JsonObject json, String key) {
    return TokenizerSource.flag(file, json, key, false);
  }
}

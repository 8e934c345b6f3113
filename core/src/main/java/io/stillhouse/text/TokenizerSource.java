package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The files of a directory that Hugging Face builds a tokenizer from. A file that does not exist is
 * null.
 *
 * @param directory a Hugging Face directory
 * @param tokenizer {@code tokenizer.json}
 * @param vocabulary the lines of {@code vocab.txt}
 * @param settings {@code tokenizer_config.json}
 * @param specialTokens {@code special_tokens_map.json}
 * @param addedTokens {@code added_tokens.json}
 * @param model {@code config.json}
 */
record TokenizerSource(
    Path directory,
    @Nullable JsonObject tokenizer,
    @Nullable List<String> vocabulary,
    @Nullable JsonObject settings,
    @Nullable JsonObject specialTokens,
    @Nullable JsonObject addedTokens,
    @Nullable JsonObject model) {
  static final String TOKENIZER = "tokenizer.json";
  static final String VOCABULARY = "vocab.txt";
  static final String SETTINGS = "tokenizer_config.json";
  static final String SPECIAL_TOKENS = "special_tokens_map.json";
  static final String ADDED_TOKENS = "added_tokens.json";
  private static final String MODEL = "config.json";
  private static final String UNIGRAM = "Unigram";
  private static final String SENTENCE_PIECE = "spiece.model";

  /** Reads the files of a directory. */
  static TokenizerSource read(Path directory) throws IOException {
    Path vocabulary = directory.resolve(VOCABULARY);
    return new TokenizerSource(
        directory,
        object(directory.resolve(TOKENIZER)),
        Files.isRegularFile(vocabulary) ? lines(TextFile.read(vocabulary)) : null,
        object(directory.resolve(SETTINGS)),
        object(directory.resolve(SPECIAL_TOKENS)),
        object(directory.resolve(ADDED_TOKENS)),
        object(directory.resolve(MODEL)));
  }

  Path file(String name) {
    return directory.resolve(name);
  }

  boolean hasSentencePiece() {
    return Files.isRegularFile(file(SENTENCE_PIECE));
  }

  /** Returns a value of {@code tokenizer_config.json}, or null if it is not set. */
  @Nullable JsonElement setting(String key) {
    JsonElement value = settings == null ? null : settings.get(key);
    return value == null || value.isJsonNull() ? null : value;
  }

  /** Returns whether {@code tokenizer_config.json} has a key, also with the value null. */
  boolean hasSetting(String key) {
    return settings != null && settings.has(key);
  }

  /** Returns a flag of {@code tokenizer_config.json}. */
  boolean flag(String key, boolean orElse) {
    return settings == null ? orElse : flag(file(SETTINGS), settings, key, orElse);
  }

  /** Returns the architecture that {@code config.json} names, or an empty string. */
  String modelType() {
    return text(file(MODEL), model, "model_type");
  }

  /**
   * Returns the class that {@code tokenizer_config.json} names, or else {@code config.json}, or
   * else an empty string.
   */
  String tokenizerClass() {
    String named = text(file(SETTINGS), settings, "tokenizer_class");
    return named.isEmpty() ? text(file(MODEL), model, "tokenizer_class") : named;
  }

  /** Returns the model of {@code tokenizer.json}: type, vocabulary and so on. */
  JsonObject tokenizerModel() {
    JsonElement found = tokenizer == null ? null : tokenizer.get("model");
    if (found == null
        || !found.isJsonObject()
        || !found.getAsJsonObject().has("vocab")
        || found.getAsJsonObject().get("vocab").isJsonPrimitive()
        || found.getAsJsonObject().get("vocab").isJsonNull()) {
      throw Errors.invalid(
          format("'%s' has no model with a vocabulary", file(TOKENIZER)),
          "copy the tokenizer that belongs to the weights");
    }
    return found.getAsJsonObject();
  }

  /** Returns {@code WordPiece}, {@code Unigram}, {@code BPE} or {@code WordLevel}. */
  String modelOfTokenizer() {
    JsonObject found = tokenizerModel();
    String type = text(file(TOKENIZER), found, "type");
    boolean list = found.get("vocab").isJsonArray();
    if (type.isEmpty()) { // as in files of early versions
      return list ? UNIGRAM : found.has("merges") ? "BPE" : "WordPiece";
    }
    if (type.equals(UNIGRAM) != list) {
      throw Errors.invalid(
          format(
              "the vocabulary of '%s' is %s, but that of a %s model is %s",
              file(TOKENIZER),
              list ? "a list" : "an object",
              Errors.shortened(type),
              list ? "an object" : "a list"),
          "copy the tokenizer that belongs to the weights");
    }
    return type;
  }

  /** Returns an object of {@code tokenizer.json}, or null if it has none with this name. */
  @Nullable JsonObject part(String name) {
    JsonElement part = tokenizer == null ? null : tokenizer.get(name);
    return part != null && part.isJsonObject() ? part.getAsJsonObject() : null;
  }

  /** Returns the {@code added_tokens} of {@code tokenizer.json}. */
  JsonArray addedOfTokenizer() {
    JsonElement added = tokenizer == null ? null : tokenizer.get("added_tokens");
    return added != null && added.isJsonArray() ? added.getAsJsonArray() : new JsonArray();
  }

  /** Returns the error for a value that this tokenizer cannot have. */
  static StillhouseException wrong(Path file, String key, @Nullable JsonElement value, String be) {
    return Errors.invalid(
        format(
            "%s in '%s' must be %s, but is %s",
            Errors.shortened(key), file, be, Errors.shortened(String.valueOf(value))),
        "correct it; transformers does not open this tokenizer either");
  }

  static boolean flag(Path file, JsonObject json, String key, boolean orElse) {
    JsonElement value = json.get(key);
    if (value == null) {
      return orElse;
    }
    if (!value.isJsonPrimitive() || !value.getAsJsonPrimitive().isBoolean()) {
      throw wrong(file, key, value, "true or false");
    }
    return value.getAsBoolean();
  }

  private static String text(Path file, @Nullable JsonObject json, String key) {
    JsonElement value = json == null ? null : json.get(key);
    if (value == null || value.isJsonNull()) {
      return "";
    }
    if (!value.isJsonPrimitive() || !value.getAsJsonPrimitive().isString()) {
      throw wrong(file, key, value, "a name");
    }
    return value.getAsString();
  }

  private static @Nullable JsonObject object(Path file) throws IOException {
    return Files.isRegularFile(file) ? TextFile.json(file) : null;
  }

  /** Splits a vocabulary into tokens, without white space at their ends, as tokenizers does. */
  static List<String> lines(String text) {
    List<String> lines = new ArrayList<>();
    int start = 0;
    while (start < text.length()) {
      int newline = text.indexOf('\n', start);
      int end = newline < 0 ? text.length() : newline;
      int last = end;
      while (last > start && isWhiteSpace(text.charAt(last - 1))) {
        last--;
      }
      lines.add(text.substring(start, last));
      start = end + 1;
    }
    return lines;
  }

  /** Unicode's White_Space, which Java's definitions differ from. */
  private static boolean isWhiteSpace(char c) {
    return Character.isSpaceChar(c) || (c >= '\t' && c <= '\r') || c == '\u0085';
  }
}

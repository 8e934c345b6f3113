package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.error.Errors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The ids of a tokenizer: those of its vocabulary, then those of added tokens. As in Hugging Face's
 * tokenizers, an added token gets the next free id, whatever id its file gives it.
 */
final class TokenIds {
  /** Ids may have gaps, but not many, because tables are indexed by them. */
  private static final int MAX_GAPS = 4;

  private static final int MAX_FREE_GAP = 1024;

  private static final String COPY = "copy the file that belongs to the weights";

  private final Map<String, Integer> vocabulary;
  private final Map<String, Integer> added = new LinkedHashMap<>();
  private final Map<Integer, AddedToken> tokens = new HashMap<>();

  /** The next free id. */
  private int next;

  private TokenIds(Map<String, Integer> vocabulary, int size) {
    this.vocabulary = vocabulary;
    next = size;
  }

  /** Returns the ids of the lines of a {@code vocab.txt}. A repeated token has its last id. */
  static TokenIds ofLines(List<String> lines) {
    Map<String, Integer> ids = new LinkedHashMap<>();
    for (int id = 0; id < lines.size(); id++) {
      ids.put(lines.get(id), id);
    }
    return new TokenIds(ids, ids.size());
  }

  /** Returns the ids of the vocabulary of a {@code tokenizer.json}: an object, or a list. */
  static TokenIds ofJson(Path file, JsonElement vocabulary) {
    if (vocabulary.isJsonArray()) {
      List<String> tokens = new ArrayList<>();
      for (JsonElement entry : vocabulary.getAsJsonArray()) {
        boolean scored = entry.isJsonArray() && !entry.getAsJsonArray().isEmpty();
        JsonElement token = scored ? entry.getAsJsonArray().get(0) : entry;
        if (!token.isJsonPrimitive()) {
          throw Errors.invalid(
              format(
                  "'%s' has the entry %s in its vocabulary, but an entry is a token, or a token and"
                      + " its score",
                  file, Errors.shortened(entry.toString())),
              COPY);
        }
        tokens.add(token.getAsString());
      }
      TokenIds ids = ofLines(tokens);
      return new TokenIds(ids.vocabulary, tokens.size());
    }
    Map<String, Integer> ids = new LinkedHashMap<>();
    vocabulary
        .getAsJsonObject()
        .entrySet()
        .forEach(entry -> ids.put(entry.getKey(), of(file, entry.getKey(), entry.getValue())));
    ids.forEach((token, id) -> requireDense(file, token, id, ids.size()));
    return new TokenIds(ids, ids.size());
  }

  /** Reads the id of a token. */
  static int of(Path file, String token, @Nullable JsonElement id) {
    try {
      int value = id == null ? -1 : id.getAsBigDecimal().intValueExact();
      if (value >= 0) {
        return value;
      }
    } catch (ArithmeticException
        | NumberFormatException
        | UnsupportedOperationException
        | IllegalStateException e) {
      // Reported below.
    }
    throw Errors.invalid(
        format(
            "'%s' gives the token '%s' the id %s, but an id is a whole number >= 0",
            file, Errors.shortened(token), Errors.shortened(String.valueOf(id))),
        COPY);
  }

  /**
   * Rejects an id far above the number of tokens.
   *
   * @param source the file that gives the id, or the directory if several files may
   */
  static void requireDense(Path source, String token, int id, int tokens) {
    if (id > (long) MAX_GAPS * tokens + MAX_FREE_GAP) {
      throw Errors.invalid(
          format(
              "'%s' gives the token '%s' the id %d, but has only %d tokens",
              source, Errors.shortened(token), id, tokens),
          COPY);
    }
  }

  /** Adds a token, or replaces the flags of one that was added before. */
  void add(AddedToken token) {
    if (token.content().isEmpty()) {
      return;
    }
    Integer known = id(token.content());
    int id = known == null ? next : known;
    next = Math.max(next, id + 1);
    added.put(token.content(), id);
    tokens.put(id, token);
  }

  /** Returns the tokens that were added. */
  Set<String> added() {
    return added.keySet();
  }

  /** Returns the id of a token, or null if there is none. */
  @Nullable Integer id(String token) {
    Integer id = added.get(token);
    return id == null ? vocabulary.get(token) : id;
  }

  boolean inVocabulary(String token) {
    return vocabulary.containsKey(token);
  }

  /** Returns the tokens of the vocabulary, without added tokens. */
  Set<String> vocabulary() {
    return vocabulary.keySet();
  }

  /** Returns the token of each id, empty if it has none. Added tokens are included. */
  String[] tokens() {
    int highest = tokens.keySet().stream().mapToInt(id -> id).max().orElse(-1);
    for (Map.Entry<String, Integer> entry : vocabulary.entrySet()) {
      if (!entry.getKey().isEmpty()) {
        highest = Math.max(highest, entry.getValue());
      }
    }
    String[] all = new String[highest + 1];
    Arrays.fill(all, "");
    vocabulary.forEach(
        (token, id) -> {
          if (id < all.length) {
            all[id] = token;
          }
        });
    tokens.forEach((id, token) -> all[id] = token.content());
    return all;
  }

  /** Returns the tokens of the vocabulary in order of their ids, or null if ids are missing. */
  @Nullable List<String> lines() {
    String[] lines = new String[vocabulary.size()];
    for (Map.Entry<String, Integer> entry : vocabulary.entrySet()) {
      if (entry.getValue() >= lines.length || lines[entry.getValue()] != null) {
        return null;
      }
      lines[entry.getValue()] = entry.getKey();
    }
    return List.of(lines);
  }

  /** Returns the vocabulary of a WordPiece model. */
  JsonObject vocabularyJson() {
    JsonObject json = new JsonObject();
    vocabulary.forEach(json::addProperty);
    return json;
  }

  /** Returns the {@code added_tokens} of a {@code tokenizer.json}. */
  JsonArray addedJson() {
    JsonArray json = new JsonArray();
    tokens.entrySet().stream()
        .sorted(Comparator.comparing(Map.Entry::getKey))
        .forEach(entry -> json.add(entry.getValue().json(entry.getKey())));
    return json;
  }
}

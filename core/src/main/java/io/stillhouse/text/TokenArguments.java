package io.stillhouse.text;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The special and added tokens that the files of a directory name, collected as transformers 5's
 * {@code PreTrainedTokenizerBase._from_pretrained} does. If {@code tokenizer_config.json} has an
 * {@code added_tokens_decoder}, only that file is read; otherwise {@code special_tokens_map.json},
 * {@code added_tokens.json} and the {@code added_tokens} of {@code tokenizer.json} are merged into
 * it in this order.
 */
final class TokenArguments {
  private static final String DECODER = "added_tokens_decoder";
  private static final String EXTRA = "extra_special_tokens";
  private static final String ADDITIONAL = "additional_special_tokens";
  private static final String NAMED = "_token";

  /**
   * A token as a file gives it.
   *
   * @param plain whether the file gives its content only; as in transformers, it then differs from
   *     an object with the same content
   * @param typed whether the file gives an object with {@code __type}
   */
  private record Given(AddedToken token, boolean plain, boolean typed) {
    static Given plain(String content) {
      return new Given(AddedToken.special(content), true, false);
    }

    static Given token(AddedToken token) {
      return new Given(token, false, false);
    }

    String content() {
      return token.content();
    }
  }

  private final TokenizerSource source;
  private final Map<String, @Nullable Given> named = new LinkedHashMap<>();
  private final Map<String, Given> modelSpecific = new LinkedHashMap<>();
  private final Map<Integer, AddedToken> added = new TreeMap<>();
  private final Map<String, AddedToken> byContent = new LinkedHashMap<>();
  private @Nullable Set<Given> extra;

  private TokenArguments(TokenizerSource source) {
    this.source = source;
  }

  static TokenArguments of(TokenizerSource source, TokenizerClass kind) {
    TokenArguments arguments = new TokenArguments(source);
    arguments.readSettings();
    if (source.hasSetting(DECODER)) {
      arguments.readDecoder(source.setting(DECODER));
    } else {
      arguments.readSpecialTokens();
      arguments.readAddedTokens();
      arguments.readTokenizer();
    }
    arguments.resolve(kind);
    return arguments;
  }

  private void resolve(TokenizerClass kind) {
    for (String key : SpecialToken.ALL) {
      Given given = named.get(key);
      AddedToken token = given == null ? null : byContent.get(given.content());
      if (token != null) {
        named.put(key, Given.token(token));
      }
    }
    kind.specialTokens()
        .forEach(
            (key, content) -> {
              if (named.containsKey(key) && named.get(key) == null) {
                throw TokenizerSource.wrong(fileOf(key), key, JsonNull.INSTANCE, "a token");
              }
              named.putIfAbsent(key, Given.plain(content));
            });
  }

  /** Returns the file whose value of a key is used. */
  private Path fileOf(String key) {
    JsonObject tokens = source.specialTokens();
    boolean overridden = !source.hasSetting(DECODER) && tokens != null && tokens.has(key);
    return source.file(overridden ? TokenizerSource.SPECIAL_TOKENS : TokenizerSource.SETTINGS);
  }

  /** Returns the content of a special token by its key, or null if it has none. */
  @Nullable String content(String key) {
    Given given = named.get(key);
    return given == null ? null : given.content();
  }

  /** Returns the ids that the files give to added tokens. */
  Map<Integer, AddedToken> added() {
    return added;
  }

  /** Returns the contents of the special tokens that have no key of their own. */
  List<String> extraContents() {
    return extra == null ? List.of() : extra.stream().map(Given::content).toList();
  }

  /**
   * Returns the tokens to add to a tokenizer, in order.
   *
   * @param known the tokens that were added to it before
   */
  List<AddedToken> toAdd(Set<String> known) {
    List<Given> tokens = new ArrayList<>();
    added.values().forEach(token -> tokens.add(Given.token(token)));
    Set<String> encoder = new HashSet<>(known);
    added.values().forEach(token -> encoder.add(token.content()));
    List<Given> specials = new ArrayList<>();
    for (String key : SpecialToken.ALL) {
      Given given = named.get(key);
      if (given != null) {
        specials.add(given);
      }
    }
    specials.addAll(modelSpecific.values());
    Set<String> names = new HashSet<>();
    specials.forEach(given -> names.add(given.content()));
    if (extra != null) {
      specials.addAll(extra);
    }
    Set<Given> toAdd = new HashSet<>(tokens);
    for (Given given : specials) {
      if (!encoder.contains(given.content()) && toAdd.add(given)) {
        tokens.add(given);
      }
    }
    return tokens.stream()
        .map(given -> names.contains(given.content()) ? given.token().asSpecial() : given.token())
        .toList();
  }

  private void readSettings() {
    JsonObject settings = source.settings();
    if (settings == null) {
      return;
    }
    Path file = source.file(TokenizerSource.SETTINGS);
    settings
        .entrySet()
        .forEach(
            entry -> {
              if (SpecialToken.ALL.contains(entry.getKey())) {
                named.put(entry.getKey(), given(file, entry.getKey(), entry.getValue()));
              } else if (entry.getKey().endsWith(NAMED) && isToken(entry.getValue())) {
                put(file, entry.getKey(), entry.getValue());
              }
            });
    JsonElement tokens = source.setting(EXTRA);
    boolean given =
        tokens != null
            && !(tokens.isJsonArray() && tokens.getAsJsonArray().isEmpty())
            && !(tokens.isJsonObject() && tokens.getAsJsonObject().isEmpty());
    readExtra(file, EXTRA, given ? tokens : source.setting(ADDITIONAL));
  }

  private void readExtra(Path file, String key, @Nullable JsonElement tokens) {
    if (tokens == null) {
      return;
    }
    if (tokens.isJsonObject()) {
      tokens.getAsJsonObject().entrySet().forEach(e -> put(file, e.getKey(), e.getValue()));
      return;
    }
    if (!tokens.isJsonArray()) {
      throw TokenizerSource.wrong(file, key, tokens, "a list of tokens");
    }
    Set<Given> all = extra == null ? new LinkedHashSet<>() : extra;
    for (JsonElement token : tokens.getAsJsonArray()) {
      Given given =
          file.endsWith(TokenizerSource.SPECIAL_TOKENS) && key.equals(EXTRA)
              ? special(file, key, token)
              : given(file, key, token);
      if (given != null) {
        all.add(given);
      }
    }
    extra = all;
  }

  private void readDecoder(@Nullable JsonElement decoder) {
    Path file = source.file(TokenizerSource.SETTINGS);
    if (decoder == null || !decoder.isJsonObject()) {
      throw TokenizerSource.wrong(file, DECODER, decoder, "an object of tokens by id");
    }
    for (Map.Entry<String, JsonElement> entry : decoder.getAsJsonObject().entrySet()) {
      AddedToken token = AddedToken.of(file, entry.getValue());
      add(TokenIds.of(file, token.content(), new JsonPrimitive(entry.getKey())), token);
    }
  }

  private void readSpecialTokens() {
    JsonObject tokens = source.specialTokens();
    if (tokens == null) {
      return;
    }
    Path file = source.file(TokenizerSource.SPECIAL_TOKENS);
    for (Map.Entry<String, JsonElement> entry : tokens.entrySet()) {
      String key = entry.getKey();
      JsonElement value = entry.getValue();
      if (key.equals(EXTRA) || (key.equals(ADDITIONAL) && extra == null)) {
        readExtra(file, key, value.isJsonNull() ? null : value);
      } else if (SpecialToken.ALL.contains(key) || (key.endsWith(NAMED) && isSpecial(value))) {
        Given given = special(file, key, value);
        if (SpecialToken.ALL.contains(key)) {
          named.put(key, given);
        } else if (given != null) {
          modelSpecific.put(key, given);
        }
      }
    }
  }

  private void readAddedTokens() {
    JsonObject tokens = source.addedTokens();
    if (tokens == null) {
      return;
    }
    Path file = source.file(TokenizerSource.ADDED_TOKENS);
    Set<String> specials = new HashSet<>();
    named.values().stream()
        .filter(given -> given != null && !given.typed())
        .forEach(given -> specials.add(given.content()));
    if (extra != null) {
      extra.stream().filter(given -> !given.typed()).forEach(g -> specials.add(g.content()));
    }
    for (Map.Entry<String, JsonElement> entry : tokens.entrySet()) {
      add(
          TokenIds.of(file, entry.getKey(), entry.getValue()),
          AddedToken.legacy(entry.getKey(), specials.contains(entry.getKey())));
    }
  }

  private void readTokenizer() {
    Path file = source.file(TokenizerSource.TOKENIZER);
    for (JsonElement token : source.addedOfTokenizer()) {
      AddedToken read = AddedToken.of(file, token);
      add(TokenIds.of(file, read.content(), token.getAsJsonObject().get("id")), read);
    }
  }

  private void add(int id, AddedToken token) {
    added.put(id, token);
    byContent.put(token.content(), token);
  }

  private void put(Path file, String key, JsonElement value) {
    Given given = given(file, key, value);
    if (given != null) {
      modelSpecific.put(key, given);
    }
  }

  /** Reads a token of {@code special_tokens_map.json}, whose objects have no {@code __type}. */
  private static @Nullable Given special(Path file, String key, JsonElement value) {
    return value.isJsonObject()
        ? Given.token(AddedToken.of(file, value).asSpecial())
        : given(file, key, value);
  }

  private static @Nullable Given given(Path file, String key, JsonElement value) {
    if (value.isJsonNull()) {
      return null;
    }
    if (value.isJsonPrimitive() && value.getAsJsonPrimitive().isString()) {
      return Given.plain(value.getAsString());
    }
    if (value.isJsonObject() && value.getAsJsonObject().has("__type")) {
      return new Given(AddedToken.of(file, value), false, true);
    }
    throw TokenizerSource.wrong(file, key, value, "a token");
  }

  private static boolean isToken(JsonElement value) {
    return (value.isJsonPrimitive() && value.getAsJsonPrimitive().isString())
        || (value.isJsonObject() && value.getAsJsonObject().has("__type"));
  }

  private static boolean isSpecial(JsonElement value) {
    return value.isJsonObject() || isToken(value);
  }
}

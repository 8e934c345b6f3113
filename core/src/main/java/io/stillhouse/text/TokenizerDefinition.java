package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.stillhouse.error.Errors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The tokenizer that transformers 5's {@code AutoTokenizer} builds from the files of a directory,
 * as one complete {@code tokenizer.json}.
 *
 * <p>BertTokenizer takes only the vocabulary and the added tokens from {@code tokenizer.json}.
 * Whether it lower-cases text, strips accents and splits Chinese characters is set in {@code
 * tokenizer_config.json}; it does all three if none is set. PreTrainedTokenizerFast uses {@code
 * tokenizer.json} as it is. The one difference from transformers: a {@code vocab.txt} without
 * {@code tokenizer_config.json} is cased if it contains capitalized words.
 */
public final class TokenizerDefinition {
  private static final Gson GSON =
      new GsonBuilder().disableHtmlEscaping().serializeNulls().create();

  /** Embedding tables are often padded to a multiple of 8 with fewer rows than this. */
  private static final int MAX_PADDING_ROWS = 64;

  private static final String LOWER = "do_lower_case";

  private final TokenizerSource source;
  private final TokenizerClass kind;
  private final TokenIds ids;
  private final TokenArguments arguments;
  private final JsonObject json;
  private final String[] tokens;
  private final Map<String, String> specials;
  private final List<String> notes = new ArrayList<>();

  private TokenizerDefinition(TokenizerSource source) {
    this.source = source;
    kind = TokenizerClass.of(source);
    if (source.flag("split_special_tokens", false)) {
      throw Errors.invalid(
          format(
              "'%s' sets split_special_tokens to true, which is not supported",
              source.file(TokenizerSource.SETTINGS)),
          "remove it");
    }
    requireOneTokenizerFile(source);
    ids =
        source.tokenizer() == null
            ? TokenIds.ofLines(Objects.requireNonNull(source.vocabulary()))
            : TokenIds.ofJson(
                source.file(TokenizerSource.TOKENIZER), source.tokenizerModel().get("vocab"));
    arguments = TokenArguments.of(source, kind);
    addTokens();
    tokens = ids.tokens();
    specials = specials();
    json =
        switch (kind) {
          case BERT -> TokenizerJson.bert(source, casing(), ids, arguments);
          case ALBERT -> TokenizerJson.albert(source, ids, arguments);
          case WHOLE -> TokenizerJson.whole(source, ids);
        };
    noteDifferences();
  }

  /**
   * Reads {@code tokenizer.json}, {@code vocab.txt}, {@code tokenizer_config.json}, {@code
   * special_tokens_map.json} and {@code added_tokens.json}.
   *
   * @param directory a Hugging Face directory
   * @throws io.stillhouse.error.StillhouseException if there is no tokenizer, its class or one of
   *     its settings is not supported, an id is out of proportion, or a special token is missing
   */
  public static TokenizerDefinition read(Path directory) throws IOException {
    return new TokenizerDefinition(TokenizerSource.read(directory));
  }

  /** Returns the highest id of a token plus one, including added tokens. */
  public int vocabSize() {
    return tokens.length;
  }

  /** Returns assumptions that were made, and settings that have no effect, one sentence each. */
  public List<String> notes() {
    return List.copyOf(notes);
  }

  /** Returns the complete {@code tokenizer.json}. */
  String json() {
    return GSON.toJson(json);
  }

  /** Returns the {@code tokenizer.json} for the native library. */
  String nativeJson() {
    // BertTokenizer takes nothing but the vocabulary and the added tokens from the user's file.
    return GSON.toJson(kind == TokenizerClass.BERT ? json : TokenizerJson.withSafeParts(json));
  }

  /** Returns the file that holds the vocabulary. */
  Path file() {
    return source.file(
        source.tokenizer() == null ? TokenizerSource.VOCABULARY : TokenizerSource.TOKENIZER);
  }

  /** Returns the token of each id, empty if an id is unused. */
  String[] tokens() {
    return tokens.clone();
  }

  /** Returns the id of a special token by its key in {@code tokenizer_config.json}. */
  int id(String key) {
    return Objects.requireNonNull(ids.id(content(key)));
  }

  /** Returns a required special token by its key in {@code tokenizer_config.json}. */
  String content(String key) {
    return Objects.requireNonNull(specials.get(key));
  }

  JsonObject parts() {
    return json;
  }

  /** Returns the lines of {@code vocab.txt}, or null if the vocabulary is not a list of words. */
  @Nullable List<String> lines() {
    boolean words = json.getAsJsonObject(TokenizerJson.MODEL).get("vocab").isJsonObject();
    return words ? ids.lines() : null;
  }

  Map<String, String> specialTokens() {
    return specials;
  }

  List<String> extraSpecialTokens() {
    return arguments.extraContents();
  }

  @Nullable JsonElement setting(String key) {
    return source.setting(key);
  }

  private static void requireOneTokenizerFile(TokenizerSource source) {
    JsonElement versions = source.setting("fast_tokenizer_files");
    if (versions != null
        && versions.isJsonArray()
        && versions.getAsJsonArray().asList().stream()
            .anyMatch(file -> !file.equals(new JsonPrimitive(TokenizerSource.TOKENIZER)))) {
      throw Errors.invalid(
          format(
              "'%s' has several tokenizer files for different versions: %s",
              source.file(TokenizerSource.SETTINGS), Errors.shortened(versions.toString())),
          "remove fast_tokenizer_files, and keep the right one as tokenizer.json");
    }
  }

  private void addTokens() {
    Path file = source.file(TokenizerSource.TOKENIZER);
    if (kind == TokenizerClass.WHOLE) {
      source.addedOfTokenizer().forEach(token -> ids.add(AddedToken.of(file, token)));
    }
    int entries = ids.vocabulary().size() + arguments.added().size();
    arguments
        .added()
        .forEach(
            (id, token) -> TokenIds.requireDense(source.directory(), token.content(), id, entries));
    arguments.toAdd(ids.added()).forEach(ids::add);
    for (Map.Entry<Integer, AddedToken> entry : arguments.added().entrySet()) {
      String content = entry.getValue().content();
      Integer id = ids.id(content); // null for an empty token, which is not added
      if (id != null && !id.equals(entry.getKey())) {
        notes.add(
            format(
                "the added token '%s' has the id %d, as in transformers, although a file says %d",
                Errors.shortened(content), id, entry.getKey()));
        return;
      }
    }
  }

  private Map<String, String> specials() {
    Map<String, String> found = new LinkedHashMap<>();
    List<String> missing = new ArrayList<>();
    Set<String> added =
        arguments.added().values().stream().map(AddedToken::content).collect(Collectors.toSet());
    for (String key : SpecialToken.ALL) {
      String content = arguments.content(key);
      if (content == null && SpecialToken.REQUIRED.contains(key)) {
        content = unnamed(key);
      }
      if (content != null && ids.id(content) != null && isSpecial(key, content, added)) {
        found.put(key, content);
      } else if (SpecialToken.REQUIRED.contains(key)) {
        missing.add(content == null || content.isEmpty() ? key : Errors.shortened(content));
      }
    }
    if (!missing.isEmpty()) {
      throw Errors.invalid(
          format(
              "'%s' lacks the special token%s %s",
              file(), missing.size() == 1 ? "" : "s", String.join(", ", missing)),
          "use the tokenizer of a BERT model, which has " + String.join(", ", Tokenizer.SPECIALS));
    }
    return found;
  }

  /** Returns whether a token of the vocabulary or an added token has a role. */
  private boolean isSpecial(String key, String content, Set<String> added) {
    return kind == TokenizerClass.WHOLE
        || ids.inVocabulary(content)
        || (added.contains(content) && !key.equals(SpecialToken.UNK));
  }

  /** Returns a special token that {@code tokenizer_config.json} does not name. */
  private @Nullable String unnamed(String key) {
    JsonElement unknown = source.tokenizerModel().get(SpecialToken.UNK);
    if (key.equals(SpecialToken.UNK) && unknown != null && unknown.isJsonPrimitive()) {
      return unknown.getAsString();
    }
    String usual = SpecialToken.BERT.get(key);
    String other = SpecialToken.ALBERT.get(key);
    return usual != null && ids.id(usual) == null ? other : usual;
  }

  private Casing casing() {
    if (source.hasSetting(LOWER)) {
      return source.flag(LOWER, true) ? Casing.UNCASED : Casing.CASED;
    }
    Optional<String> capitalized =
        Casing.capitalized(ids.vocabulary()).map(word -> "'" + Errors.shortened(word) + "'");
    boolean alone = source.tokenizer() == null && source.settings() == null;
    if (alone) {
      Casing casing = capitalized.isPresent() ? Casing.CASED : Casing.UNCASED;
      notes.add(
          format(
              "'%s' does not say whether text is lower-cased; assumed do_lower_case=%s, because the"
                  + " vocabulary has %s",
              source.directory(),
              casing == Casing.UNCASED,
              capitalized.orElse("no capitalized word")));
      return casing;
    }
    capitalized.ifPresent(
        word ->
            notes.add(
                format(
                    "'%s' does not set do_lower_case in tokenizer_config.json, so text is"
                        + " lower-cased, as in transformers, although the vocabulary has %s",
                    source.directory(), word)));
    return Casing.UNCASED;
  }

  private void noteDifferences() {
    noteUnusedRows();
    for (String ignored : List.of("never_split", "do_basic_tokenize")) {
      JsonElement value = source.setting(ignored);
      if (value != null && !value.toString().equals("true")) {
        notes.add(
            format(
                "%s in '%s' has no effect, as in transformers 5",
                ignored, source.file(TokenizerSource.SETTINGS)));
      }
    }
    List<String> lines = source.vocabulary();
    if (source.tokenizer() != null
        && lines != null
        && !TokenIds.ofLines(lines).vocabulary().equals(ids.vocabulary())) {
      notes.add(
          format(
              "tokenizer.json and vocab.txt in '%s' have different tokens: those of tokenizer.json"
                  + " are used, as in transformers",
              source.directory()));
    }
    if (kind != TokenizerClass.BERT || source.tokenizer() == null) {
      return;
    }
    for (String part : List.of(TokenizerJson.NORMALIZER, TokenizerJson.PRE_TOKENIZER)) {
      JsonObject stored = source.part(part);
      if (stored != null && !stored.equals(json.get(part))) {
        notes.add(
            format(
                "the %s of '%s' is %s, but %s is used, because tokenizer_config.json takes"
                    + " precedence, as in transformers",
                part, source.file(TokenizerSource.TOKENIZER), shortened(stored), json.get(part)));
      }
    }
  }

  private void noteUnusedRows() {
    JsonElement rows = source.model() == null ? null : source.model().get("vocab_size");
    if (rows == null || !rows.isJsonPrimitive() || !rows.getAsJsonPrimitive().isNumber()) {
      return;
    }
    int unused = rows.getAsInt() - vocabSize();
    boolean padding = rows.getAsInt() % 8 == 0 && unused < MAX_PADDING_ROWS;
    if (unused > 0 && !padding) {
      notes.add(
          format(
              "the word embeddings have %d rows, but the tokenizer has %d tokens: the last %d rows"
                  + " are not used",
              rows.getAsInt(), vocabSize(), unused));
    }
  }

  private static String shortened(JsonObject part) {
    String text = part.toString();
    return text.length() <= 150 ? text : text.substring(0, 150) + "...";
  }
}

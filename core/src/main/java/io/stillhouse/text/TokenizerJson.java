package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.stillhouse.error.Errors;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Builds the {@code tokenizer.json} of each {@link TokenizerClass}, as transformers 5 does. */
final class TokenizerJson {
  static final String NORMALIZER = "normalizer";
  static final String PRE_TOKENIZER = "pre_tokenizer";
  static final String POST_PROCESSOR = "post_processor";
  static final String MODEL = "model";
  static final String LOWERCASE = "lowercase";
  static final String STRIP_ACCENTS = "strip_accents";
  static final String CHINESE = "handle_chinese_chars";
  private static final String ADDED = "added_tokens";
  private static final String TYPE = "type";
  private static final String METASPACE = "\u2581";

  private TokenizerJson() {}

  /**
   * Returns {@code tokenizer.json} as it is, except for the added tokens, and without padding and
   * truncation.
   */
  static JsonObject whole(TokenizerSource source, TokenIds ids) {
    JsonObject json = Objects.requireNonNull(source.tokenizer()).deepCopy();
    json.add("truncation", JsonNull.INSTANCE);
    json.add("padding", JsonNull.INSTANCE);
    json.add(ADDED, ids.addedJson());
    requireUnknown(source, json.getAsJsonObject(MODEL));
    return json;
  }

  /**
   * Requires a token for unknown words: without one, the native library ends the whole process when
   * it meets an unknown word.
   */
  private static void requireUnknown(TokenizerSource source, JsonObject model) {
    JsonElement vocabulary = model.get("vocab");
    JsonElement unknown = model.get(vocabulary.isJsonObject() ? SpecialToken.UNK : "unk_id");
    boolean known =
        unknown != null
            && unknown.isJsonPrimitive()
            && (vocabulary.isJsonObject()
                ? vocabulary.getAsJsonObject().has(unknown.getAsString())
                : unknown.getAsJsonPrimitive().isNumber()
                    && unknown.getAsDouble() >= 0
                    && unknown.getAsDouble() < vocabulary.getAsJsonArray().size());
    if (!known) {
      throw Errors.invalid(
          format(
              "'%s' has no token for unknown words in its vocabulary",
              source.file(TokenizerSource.TOKENIZER)),
          "copy the tokenizer that belongs to the weights");
    }
  }

  /**
   * Returns a user's tokenizer without its decoder, which is not used, and without a post-processor
   * that is malformed: the native library ends the whole process if it meets one.
   */
  static JsonObject withSafeParts(JsonObject whole) {
    JsonObject safe = whole.deepCopy();
    safe.add("decoder", JsonNull.INSTANCE);
    if (!isSafePostProcessor(safe.get(POST_PROCESSOR))) {
      safe.add(POST_PROCESSOR, JsonNull.INSTANCE);
    }
    return safe;
  }

  private static boolean isSafePostProcessor(@Nullable JsonElement processor) {
    if (processor == null || !processor.isJsonObject()) {
      return false;
    }
    JsonObject parts = processor.getAsJsonObject();
    JsonElement type = parts.get(TYPE);
    if (new JsonPrimitive("BertProcessing").equals(type)) {
      return true;
    }
    JsonElement special = parts.get("special_tokens");
    return new JsonPrimitive("TemplateProcessing").equals(type)
        && special != null
        && special.isJsonObject()
        && Stream.of("single", "pair")
            .allMatch(key -> namesKnownTokens(parts.get(key), special.getAsJsonObject()));
  }

  /** Returns whether every special token of a template is described. */
  private static boolean namesKnownTokens(@Nullable JsonElement template, JsonObject special) {
    if (template == null || !template.isJsonArray()) {
      return false;
    }
    for (JsonElement piece : template.getAsJsonArray()) {
      JsonElement token = piece.isJsonObject() ? piece.getAsJsonObject().get("SpecialToken") : null;
      boolean sequence = piece.isJsonObject() && piece.getAsJsonObject().has("Sequence");
      if (!sequence && (token == null || !token.isJsonObject())) {
        return false;
      }
      JsonElement id = token == null ? null : token.getAsJsonObject().get("id");
      if (token != null
          && (id == null || !id.isJsonPrimitive() || !special.has(id.getAsString()))) {
        return false;
      }
    }
    return true;
  }

  /** Returns what BertTokenizer builds from a vocabulary and {@code tokenizer_config.json}. */
  static JsonObject bert(
      TokenizerSource source, Casing casing, TokenIds ids, TokenArguments special) {
    JsonObject json = start(ids);
    JsonObject normalizer = typed("BertNormalizer");
    normalizer.addProperty("clean_text", true);
    normalizer.addProperty(CHINESE, source.flag("tokenize_chinese_chars", true));
    normalizer.add(
        STRIP_ACCENTS,
        source.setting(STRIP_ACCENTS) == null
            ? JsonNull.INSTANCE
            : new JsonPrimitive(source.flag(STRIP_ACCENTS, false)));
    normalizer.addProperty(LOWERCASE, casing == Casing.UNCASED);
    json.add(NORMALIZER, normalizer);
    json.add(PRE_TOKENIZER, typed("BertPreTokenizer"));
    json.add(POST_PROCESSOR, postProcessor(ids, special));
    JsonObject decoder = typed("WordPiece");
    decoder.addProperty("prefix", "##");
    decoder.addProperty("cleanup", true);
    json.add("decoder", decoder);
    JsonObject model = typed("WordPiece");
    model.addProperty(SpecialToken.UNK, special.content(SpecialToken.UNK));
    model.addProperty("continuing_subword_prefix", "##");
    model.addProperty("max_input_chars_per_word", 100);
    model.add("vocab", ids.vocabularyJson());
    json.add(MODEL, model);
    return json;
  }

  /** Returns what AlbertTokenizer builds from a {@code tokenizer.json} and its settings. */
  static JsonObject albert(TokenizerSource source, TokenIds ids, TokenArguments special) {
    JsonObject json = start(ids);
    JsonArray normalizers = new JsonArray();
    Stream.of("``", "''").map(TokenizerJson::quotes).forEach(normalizers::add);
    if (!source.flag("keep_accents", false)) {
      normalizers.add(typed("NFKD"));
      normalizers.add(typed("StripAccents"));
    }
    if (source.flag("do_lower_case", true)) {
      normalizers.add(typed("Lowercase"));
    }
    JsonObject characters = charsmap(source.part(NORMALIZER));
    if (characters != null) {
      normalizers.add(characters);
    }
    JsonObject normalizer = typed("Sequence");
    normalizer.add("normalizers", normalizers);
    json.add(NORMALIZER, normalizer);
    JsonObject metaspace = typed("Metaspace");
    metaspace.addProperty("replacement", METASPACE);
    metaspace.addProperty(
        "prepend_scheme", source.flag("add_prefix_space", true) ? "always" : "never");
    metaspace.addProperty("split", true);
    JsonArray splits = new JsonArray();
    splits.add(typed("WhitespaceSplit"));
    splits.add(metaspace);
    JsonObject splitter = typed("Sequence");
    splitter.add("pretokenizers", splits);
    json.add(PRE_TOKENIZER, splitter);
    JsonObject processor = source.part(POST_PROCESSOR);
    json.add(POST_PROCESSOR, processor == null ? postProcessor(ids, special) : processor);
    json.add("decoder", metaspace.deepCopy());
    JsonObject model = typed("Unigram");
    model.addProperty("unk_id", 1);
    model.add("vocab", source.tokenizerModel().get("vocab"));
    model.addProperty("byte_fallback", false);
    json.add(MODEL, model);
    return json;
  }

  private static JsonObject start(TokenIds ids) {
    JsonObject json = new JsonObject();
    json.addProperty("version", "1.0");
    json.add("truncation", JsonNull.INSTANCE);
    json.add("padding", JsonNull.INSTANCE);
    json.add(ADDED, ids.addedJson());
    return json;
  }

  private static JsonObject typed(String type) {
    JsonObject object = new JsonObject();
    object.addProperty(TYPE, type);
    return object;
  }

  private static JsonObject quotes(String quotes) {
    JsonObject pattern = new JsonObject();
    pattern.addProperty("String", quotes);
    JsonObject replace = typed("Replace");
    replace.add("pattern", pattern);
    replace.addProperty("content", "\"");
    return replace;
  }

  /** Returns the first table of characters of a normalizer, or null if it has none. */
  private static @Nullable JsonObject charsmap(@Nullable JsonObject normalizer) {
    if (normalizer == null) {
      return null;
    }
    JsonElement parts = normalizer.get("normalizers");
    List<JsonElement> all =
        parts != null && parts.isJsonArray()
            ? parts.getAsJsonArray().asList()
            : List.of(normalizer);
    return all.stream()
        .filter(JsonElement::isJsonObject)
        .map(JsonElement::getAsJsonObject)
        .filter(part -> typed("Precompiled").get(TYPE).equals(part.get(TYPE)))
        .filter(part -> part.has("precompiled_charsmap"))
        .findFirst()
        .orElse(null);
  }

  private static JsonObject postProcessor(TokenIds ids, TokenArguments tokens) {
    String cls = Objects.requireNonNull(tokens.content(SpecialToken.CLS));
    String sep = Objects.requireNonNull(tokens.content(SpecialToken.SEP));
    JsonObject processor = typed("TemplateProcessing");
    JsonArray single = new JsonArray();
    single.add(piece("SpecialToken", cls, 0));
    single.add(piece("Sequence", "A", 0));
    single.add(piece("SpecialToken", sep, 0));
    JsonArray pair = single.deepCopy();
    pair.add(piece("Sequence", "B", 1));
    pair.add(piece("SpecialToken", sep, 1));
    processor.add("single", single);
    processor.add("pair", pair);
    JsonObject specials = new JsonObject();
    for (String token : List.of(cls, sep)) {
      JsonObject special = new JsonObject();
      special.addProperty("id", token);
      JsonArray id = new JsonArray();
      id.add(ids.id(token));
      special.add("ids", id);
      JsonArray name = new JsonArray();
      name.add(token);
      special.add("tokens", name);
      specials.add(token, special);
    }
    processor.add("special_tokens", specials);
    return processor;
  }

  private static JsonObject piece(String kind, String id, int type) {
    JsonObject inner = new JsonObject();
    inner.addProperty("id", id);
    inner.addProperty("type_id", type);
    JsonObject piece = new JsonObject();
    piece.add(kind, inner);
    return piece;
  }
}

package io.stillhouse.text;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.stillhouse.spec.Architecture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Writes a tokenizer so that transformers and Stillhouse build the same one from the files: {@code
 * tokenizer.json}, {@code tokenizer_config.json} and, for WordPiece, {@code vocab.txt}.
 */
public final class TokenizerOutput {
  private static final Gson PRETTY =
      new GsonBuilder().disableHtmlEscaping().setPrettyPrinting().create();

  /** Settings that do not change the ids of a text, and are kept. */
  private static final List<String> KEPT =
      List.of(
          "model_max_length", "padding_side", "truncation_side", "clean_up_tokenization_spaces");

  private TokenizerOutput() {}

  /**
   * Writes the files, and deletes {@code special_tokens_map.json}, {@code added_tokens.json} and a
   * {@code vocab.txt} that cannot represent the tokenizer.
   *
   * @param architecture the architecture of the model in the directory, which decides whether the
   *     tokenizer gives segment ids
   * @param directory an existing directory
   */
  public static void write(TokenizerDefinition tokenizer, Architecture architecture, Path directory)
      throws IOException {
    for (String stale : List.of(TokenizerSource.SPECIAL_TOKENS, TokenizerSource.ADDED_TOKENS)) {
      Files.deleteIfExists(directory.resolve(stale));
    }
    Files.writeString(directory.resolve(TokenizerSource.TOKENIZER), tokenizer.json() + "\n");
    Files.writeString(
        directory.resolve(TokenizerSource.SETTINGS),
        PRETTY.toJson(settings(tokenizer, architecture)) + "\n");
    Path vocabulary = directory.resolve(TokenizerSource.VOCABULARY);
    List<String> lines = tokenizer.lines();
    String text = lines == null ? "" : String.join("\n", lines) + "\n";
    if (TokenizerSource.lines(text).equals(lines)) {
      Files.writeString(vocabulary, text);
    } else {
      // Ids without a token, or tokens with a line break.
      Files.deleteIfExists(vocabulary);
    }
  }

  private static JsonObject settings(TokenizerDefinition tokenizer, Architecture architecture) {
    JsonObject settings = new JsonObject();
    boolean bert = isBert(tokenizer);
    if (bert) {
      JsonObject normalizer = tokenizer.parts().getAsJsonObject(TokenizerJson.NORMALIZER);
      settings.addProperty(
          "tokenizer_class", architecture.hasSegments() ? "BertTokenizer" : "DistilBertTokenizer");
      settings.add("do_lower_case", normalizer.get(TokenizerJson.LOWERCASE));
      settings.add("tokenize_chinese_chars", normalizer.get(TokenizerJson.CHINESE));
      JsonElement accents = normalizer.get(TokenizerJson.STRIP_ACCENTS);
      if (accents != null && !accents.isJsonNull()) {
        settings.add(TokenizerJson.STRIP_ACCENTS, accents);
      }
    } else {
      settings.addProperty("tokenizer_class", "PreTrainedTokenizerFast");
    }
    if (!bert || !architecture.hasSegments()) {
      settings.add("model_input_names", inputs(architecture));
    }
    tokenizer.specialTokens().forEach(settings::addProperty);
    if (!tokenizer.extraSpecialTokens().isEmpty()) {
      JsonArray extra = new JsonArray();
      tokenizer.extraSpecialTokens().forEach(extra::add);
      settings.add("additional_special_tokens", extra);
    }
    for (String key : KEPT) {
      JsonElement value = tokenizer.setting(key);
      if (value != null) {
        settings.add(key, value);
      }
    }
    return settings;
  }

  /** Returns the names of the arrays that the tokenizer passes to a model. */
  private static JsonArray inputs(Architecture architecture) {
    JsonArray inputs = new JsonArray();
    inputs.add("input_ids");
    if (architecture.hasSegments()) {
      inputs.add("token_type_ids");
    }
    inputs.add("attention_mask");
    return inputs;
  }

  /** Returns whether BertTokenizer builds the tokenizer from its vocabulary and three settings. */
  private static boolean isBert(TokenizerDefinition tokenizer) {
    JsonObject json = tokenizer.parts();
    JsonObject model = json.getAsJsonObject(TokenizerJson.MODEL);
    return has(json.get(TokenizerJson.NORMALIZER), "type", "BertNormalizer")
        && has(json.get(TokenizerJson.NORMALIZER), "clean_text", true)
        && json.getAsJsonObject(TokenizerJson.NORMALIZER).has(TokenizerJson.LOWERCASE)
        && json.getAsJsonObject(TokenizerJson.NORMALIZER).has(TokenizerJson.CHINESE)
        && has(json.get(TokenizerJson.PRE_TOKENIZER), "type", "BertPreTokenizer")
        && model.get("vocab").isJsonObject()
        && has(model, SpecialToken.UNK, tokenizer.content(SpecialToken.UNK))
        && has(model, "continuing_subword_prefix", "##")
        && has(model, "max_input_chars_per_word", 100);
  }

  private static boolean has(JsonElement object, String key, Object value) {
    JsonElement expected =
        value instanceof Boolean flag
            ? new JsonPrimitive(flag)
            : value instanceof Number number
                ? new JsonPrimitive(number)
                : new JsonPrimitive(String.valueOf(value));
    return object != null
        && object.isJsonObject()
        && expected.equals(object.getAsJsonObject().get(key));
  }
}

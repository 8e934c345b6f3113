package io.stillhouse.text;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.stillhouse.error.Errors;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Builds a {@code tokenizer.json} from a vocabulary. */
public final class TokenizerJson {
  private static final Gson GSON =
      new GsonBuilder().disableHtmlEscaping().serializeNulls().create();

  private TokenizerJson() {}

  /**
   * Returns the {@code tokenizer.json} that Hugging Face writes for a BERT vocabulary.
   *
   * @param source the file with the tokens, for messages
   * @param vocab the tokens in order of their ids
   * @param casing whether text is lower-cased and stripped of accents
   * @throws io.stillhouse.error.StillhouseException if a token is repeated or a special token is
   *     missing
   */
  public static String of(Path source, List<String> vocab, Casing casing) {
    JsonObject ids = new JsonObject();
    for (int id = 0; id < vocab.size(); id++) {
      if (ids.has(vocab.get(id))) {
        throw Errors.invalid(
            "'%s' has the token '%s' twice, as ids %d and %d"
                .formatted(source, vocab.get(id), ids.get(vocab.get(id)).getAsInt(), id),
            "use the vocab.txt that the model was trained with");
      }
      ids.addProperty(vocab.get(id), id);
    }
    Tokenizer.requireSpecials(source, ids.keySet());
    JsonObject json = new JsonObject();
    json.addProperty("version", "1.0");
    json.add("truncation", null);
    json.add("padding", null);
    json.add("added_tokens", addedTokens(ids));
    JsonObject normalizer = typed("BertNormalizer");
    normalizer.addProperty("clean_text", true);
    normalizer.addProperty("handle_chinese_chars", true);
    normalizer.add("strip_accents", null);
    normalizer.addProperty("lowercase", casing == Casing.UNCASED);
    json.add("normalizer", normalizer);
    json.add("pre_tokenizer", typed("BertPreTokenizer"));
    json.add("post_processor", postProcessor(ids));
    JsonObject decoder = typed("WordPiece");
    decoder.addProperty("prefix", "##");
    decoder.addProperty("cleanup", true);
    json.add("decoder", decoder);
    JsonObject model = typed("WordPiece");
    model.addProperty("unk_token", Tokenizer.UNK);
    model.addProperty("continuing_subword_prefix", "##");
    model.addProperty("max_input_chars_per_word", 100);
    model.add("vocab", ids);
    json.add("model", model);
    return GSON.toJson(json);
  }

  private static JsonObject typed(String type) {
    JsonObject object = new JsonObject();
    object.addProperty("type", type);
    return object;
  }

  private static JsonArray addedTokens(JsonObject ids) {
    JsonArray added = new JsonArray();
    Tokenizer.SPECIALS.stream()
        .sorted(java.util.Comparator.comparingInt(token -> ids.get(token).getAsInt()))
        .forEach(
            token -> {
              JsonObject entry = new JsonObject();
              entry.add("id", ids.get(token));
              entry.addProperty("content", token);
              Stream.of("single_word", "lstrip", "rstrip", "normalized")
                  .forEach(flag -> entry.addProperty(flag, false));
              entry.addProperty("special", true);
              added.add(entry);
            });
    return added;
  }

  private static JsonObject postProcessor(JsonObject ids) {
    JsonObject processor = typed("TemplateProcessing");
    JsonArray single = new JsonArray();
    single.add(piece("SpecialToken", Tokenizer.CLS, 0));
    single.add(piece("Sequence", "A", 0));
    single.add(piece("SpecialToken", Tokenizer.SEP, 0));
    JsonArray pair = single.deepCopy();
    pair.add(piece("Sequence", "B", 1));
    pair.add(piece("SpecialToken", Tokenizer.SEP, 1));
    processor.add("single", single);
    processor.add("pair", pair);
    JsonObject specials = new JsonObject();
    for (String token : List.of(Tokenizer.CLS, Tokenizer.SEP)) {
      JsonObject special = new JsonObject();
      special.addProperty("id", token);
      JsonArray id = new JsonArray();
      id.add(ids.get(token));
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

package io.stillhouse.text;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.stillhouse.error.Errors;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The tokenizer of a Hugging Face directory. Thread-safe until it is closed. */
public final class Tokenizer implements AutoCloseable {
  public static final String PAD = "[PAD]";
  public static final String UNK = "[UNK]";
  public static final String CLS = "[CLS]";
  public static final String SEP = "[SEP]";
  public static final String MASK = "[MASK]";

  static final List<String> SPECIALS = List.of(PAD, UNK, CLS, SEP, MASK);
  private static final String REPLACEMENT = "\uFFFD";

  /** Disables truncation, padding and special tokens. */
  private static final Map<String, String> BARE =
      Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false");

  private final HuggingFaceTokenizer tokenizer;
  private final String[] tokens;
  private final Map<String, Integer> specialIds;

  private Tokenizer(
      HuggingFaceTokenizer tokenizer, String[] tokens, Map<String, Integer> specialIds) {
    this.tokenizer = tokenizer;
    this.tokens = tokens;
    this.specialIds = specialIds;
  }

  /**
   * Opens {@code tokenizer.json}, or {@code vocab.txt} with the {@code do_lower_case} of {@code
   * tokenizer_config.json} if there is none. Without that setting, a vocabulary that has no
   * upper-case token is treated as uncased.
   *
   * @param directory a Hugging Face directory
   * @return a tokenizer that the caller closes
   * @throws io.stillhouse.error.StillhouseException if there is no tokenizer, it is not a WordPiece
   *     tokenizer, or a special token is missing
   */
  public static Tokenizer open(Path directory) throws IOException {
    Path file = directory.resolve("tokenizer.json");
    Path vocab = directory.resolve("vocab.txt");
    if (Files.isRegularFile(file)) {
      return of(file, Files.readString(file));
    }
    if (Files.isRegularFile(vocab)) {
      List<String> lines = Files.readAllLines(vocab);
      Casing casing = casing(directory.resolve("tokenizer_config.json"), lines);
      return of(vocab, TokenizerJson.of(vocab, lines, casing));
    }
    throw Errors.invalid(
        "'%s' has neither tokenizer.json nor vocab.txt".formatted(directory),
        "copy the model's tokenizer next to its weights");
  }

  private static Tokenizer of(Path source, String text) throws IOException {
    JsonObject json = object(source, text);
    String[] tokens = tokens(source, json);
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < tokens.length; id++) {
      ids.put(tokens[id], id);
    }
    requireSpecials(source, ids.keySet());
    ids.keySet().retainAll(Set.copyOf(SPECIALS));
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    try {
      return new Tokenizer(
          HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(bytes), BARE),
          tokens,
          Map.copyOf(ids));
    } catch (RuntimeException e) {
      // The native library reports errors as plain RuntimeExceptions.
      throw Errors.invalid(
          "cannot read the tokenizer '%s': %s".formatted(source, e.getMessage()),
          "save it again with a current version of Hugging Face's tokenizers",
          e);
    }
  }

  /** Returns the highest id plus one, including added tokens. */
  public int vocabSize() {
    return tokens.length;
  }

  public int clsId() {
    return special(CLS);
  }

  public int sepId() {
    return special(SEP);
  }

  public int maskId() {
    return special(MASK);
  }

  public int padId() {
    return special(PAD);
  }

  public int unkId() {
    return special(UNK);
  }

  /**
   * Splits texts into tokens, without special tokens, truncation or padding. A special token
   * written in a text, such as {@code [MASK]}, becomes that token.
   */
  public List<Encoded> encode(List<String> texts) {
    if (texts.isEmpty()) {
      return List.of();
    }
    String[] inputs = new String[texts.size()];
    for (int i = 0; i < inputs.length; i++) {
      inputs[i] = withoutLoneSurrogates(texts.get(i));
    }
    Encoding[] encodings = tokenizer.batchEncode(inputs, false, false);
    List<Encoded> encoded = new ArrayList<>(inputs.length);
    for (int i = 0; i < inputs.length; i++) {
      encoded.add(encoded(inputs[i], encodings[i]));
    }
    return encoded;
  }

  /** Returns the token of an id as written in the vocabulary, such as {@code ##ing}. */
  public String token(int id) {
    if (id < 0 || id >= tokens.length) {
      throw new IllegalArgumentException(
          "no token has id %d: ids are 0..%d".formatted(id, tokens.length - 1));
    }
    return tokens[id];
  }

  /** Joins tokens into text, including special tokens. The original case and spacing are lost. */
  String decode(int[] ids) {
    long[] wide = new long[ids.length];
    for (int i = 0; i < ids.length; i++) {
      wide[i] = ids[i];
    }
    return tokenizer.decode(wide, false);
  }

  @Override
  public void close() {
    tokenizer.close();
  }

  /**
   * Infers the casing of a vocabulary: cased if any token has an upper-case letter, ignoring tokens
   * in brackets such as {@code [CLS]}.
   */
  public static Casing casing(List<String> vocab) {
    return vocab.stream()
            .filter(token -> !(token.startsWith("[") && token.endsWith("]")))
            .anyMatch(token -> token.codePoints().anyMatch(Character::isUpperCase))
        ? Casing.CASED
        : Casing.UNCASED;
  }

  private static Casing casing(Path config, List<String> vocab) throws IOException {
    if (!Files.isRegularFile(config)) {
      return casing(vocab);
    }
    JsonObject json = object(config, Files.readString(config));
    requireOnly(config, json, "tokenize_chinese_chars", true);
    Casing casing =
        flag(json, "do_lower_case", casing(vocab) == Casing.UNCASED)
            ? Casing.UNCASED
            : Casing.CASED;
    requireOnly(config, json, "strip_accents", casing == Casing.UNCASED);
    return casing;
  }

  private static void requireOnly(Path config, JsonObject json, String key, boolean only) {
    if (flag(json, key, only) != only) {
      throw Errors.invalid(
          "'%s' sets %s to %s, which is not supported with a vocab.txt"
              .formatted(config, key, !only),
          "save the tokenizer as tokenizer.json (use_fast=True)");
    }
  }

  private static boolean flag(JsonObject json, String key, boolean orElse) {
    JsonElement value = json.get(key);
    return value == null || value.isJsonNull() ? orElse : value.getAsBoolean();
  }

  private static JsonObject object(Path file, String text) {
    try {
      return JsonParser.parseString(text).getAsJsonObject();
    } catch (JsonParseException | IllegalStateException e) {
      throw Errors.invalid(
          "'%s' is not JSON (%s)".formatted(file, e.getMessage()), "copy it again", e);
    }
  }

  /** Returns the token of each id; unused ids have an empty token. */
  private static String[] tokens(Path source, JsonObject json) {
    JsonElement model = json.get("model");
    if (model == null
        || !model.isJsonObject()
        || !model.getAsJsonObject().has("vocab")
        || !model.getAsJsonObject().get("vocab").isJsonObject()) {
      throw Errors.invalid(
          "'%s' has no vocabulary of names and ids".formatted(source),
          "use a BERT (WordPiece) tokenizer");
    }
    Map<String, Integer> ids = new HashMap<>();
    model
        .getAsJsonObject()
        .getAsJsonObject("vocab")
        .entrySet()
        .forEach(entry -> ids.put(entry.getKey(), entry.getValue().getAsInt()));
    if (json.has("added_tokens")) {
      for (JsonElement added : json.getAsJsonArray("added_tokens")) {
        ids.put(
            added.getAsJsonObject().get("content").getAsString(),
            added.getAsJsonObject().get("id").getAsInt());
      }
    }
    String[] tokens = new String[1 + ids.values().stream().mapToInt(id -> id).max().orElse(-1)];
    java.util.Arrays.fill(tokens, "");
    ids.forEach((token, id) -> tokens[id] = token);
    return tokens;
  }

  static void requireSpecials(Path source, Set<String> tokens) {
    List<String> missing = SPECIALS.stream().filter(token -> !tokens.contains(token)).toList();
    if (!missing.isEmpty()) {
      throw Errors.invalid(
          "'%s' lacks the special token%s %s"
              .formatted(source, missing.size() == 1 ? "" : "s", String.join(", ", missing)),
          "use a BERT tokenizer, which has " + String.join(", ", SPECIALS));
    }
  }

  private int special(String token) {
    Integer id = specialIds.get(token);
    if (id == null) {
      throw new IllegalStateException("no id for " + token);
    }
    return id;
  }

  /** Converts the library's offsets, which count code points, into char indices. */
  private static Encoded encoded(String text, Encoding encoding) {
    long[] wide = encoding.getIds();
    long[] wordIds = encoding.getWordIds();
    CharSpan[] spans = encoding.getCharTokenSpans();
    int[] ids = new int[wide.length];
    int[] starts = new int[wide.length];
    int[] ends = new int[wide.length];
    int[] words = new int[wide.length];
    boolean plain = text.codePointCount(0, text.length()) == text.length();
    int point = 0;
    int at = 0;
    for (int i = 0; i < wide.length; i++) {
      ids[i] = (int) wide[i];
      words[i] = (int) wordIds[i];
      int start = spans[i].getStart();
      int end = spans[i].getEnd();
      if (plain) {
        starts[i] = start;
        ends[i] = end;
        continue;
      }
      // Tokens are in order, so one pass over the text suffices. It steps back where tokens share a
      // character.
      at = text.offsetByCodePoints(at, start - point);
      point = start;
      starts[i] = at;
      ends[i] = text.offsetByCodePoints(at, end - start);
    }
    return new Encoded(ids, starts, ends, words);
  }

  /**
   * Replaces unpaired surrogates with U+FFFD, which is also one char. The library cannot represent
   * them and would turn them into several characters.
   */
  private static String withoutLoneSurrogates(String text) {
    return StandardCharsets.UTF_16LE.newEncoder().canEncode(text)
        ? text
        : text.codePoints()
            .collect(
                StringBuilder::new,
                (out, c) -> {
                  if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
                    out.append(REPLACEMENT);
                  } else {
                    out.appendCodePoint(c);
                  }
                },
                StringBuilder::append)
            .toString();
  }
}

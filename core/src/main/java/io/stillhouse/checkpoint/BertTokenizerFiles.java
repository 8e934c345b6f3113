package io.stillhouse.checkpoint;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.TextFile;
import io.stillhouse.text.TokenizerDefinition;
import io.stillhouse.text.TokenizerOutput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Writes the tokenizer files of a model directory. Whatever the source leaves to a rule, such as
 * the casing of a {@code vocab.txt}, is written out, so that every later reader builds the same
 * tokenizer.
 */
public final class BertTokenizerFiles {
  private static final List<String> CASING_KEYS = List.of("doLowerCase", "do_lower_case");
  private static final String VOCABULARY = "vocab.txt";
  private static final String TOKENIZER = "tokenizer.json";
  private static final String SETTINGS = "tokenizer_config.json";

  /** The files that a tokenizer is built from, apart from {@code config.json}. */
  static final List<String> SOURCES =
      List.of(VOCABULARY, TOKENIZER, SETTINGS, "special_tokens_map.json", "added_tokens.json");

  private BertTokenizerFiles() {}

  /**
   * Writes the tokenizer of a vocabulary.
   *
   * @param settings a {@code tokenizer_config.json}, or another JSON file that may state whether
   *     text is lower-cased; otherwise this is inferred from the vocabulary
   * @return assumptions, one sentence each
   */
  public static List<String> fromVocab(Path vocab, @Nullable Path settings, Path model)
      throws IOException {
    Files.createDirectories(model);
    Files.copy(vocab, model.resolve(VOCABULARY), StandardCopyOption.REPLACE_EXISTING);
    if (settings != null) {
      JsonObject json = TextFile.json(settings);
      if (!settings.endsWith(SETTINGS)) {
        json = casing(json);
      }
      if (!json.isEmpty()) {
        Files.writeString(model.resolve(SETTINGS), json.toString());
      }
    }
    return complete(model);
  }

  /**
   * Writes the tokenizer of a {@code tokenizer.json}. If there is a {@code tokenizer_config.json}
   * next to it, the other tokenizer files there are read too; otherwise {@code tokenizer.json} is
   * used as it is.
   *
   * @return assumptions, one sentence each
   */
  public static List<String> fromJson(Path tokenizer, Path model) throws IOException {
    Files.createDirectories(model);
    Files.copy(tokenizer, model.resolve(TOKENIZER), StandardCopyOption.REPLACE_EXISTING);
    boolean configured =
        tokenizer.endsWith(TOKENIZER) && Files.isRegularFile(tokenizer.resolveSibling(SETTINGS));
    if (configured) {
      for (String name : SOURCES) {
        Path file = tokenizer.resolveSibling(name);
        if (Files.isRegularFile(file)) {
          Files.copy(file, model.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
      }
    } else {
      Files.writeString(
          model.resolve(SETTINGS), "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}");
    }
    return complete(model);
  }

  /** Writes the tokenizer of one model directory into another. */
  static void copy(Path source, ModelSpec spec, Path directory) throws IOException {
    Architecture architecture =
        spec instanceof EncoderSpec encoder ? encoder.architecture() : Architecture.BERT;
    TokenizerOutput.write(TokenizerDefinition.read(source), architecture, directory);
  }

  private static List<String> complete(Path model) throws IOException {
    TokenizerDefinition tokenizer = TokenizerDefinition.read(model);
    TokenizerOutput.write(tokenizer, Architecture.BERT, model);
    return tokenizer.notes();
  }

  private static JsonObject casing(JsonObject settings) {
    JsonObject casing = new JsonObject();
    for (String key : CASING_KEYS) {
      JsonElement value = settings.get(key);
      if (value != null) {
        casing.add("do_lower_case", value);
      }
    }
    return casing;
  }
}

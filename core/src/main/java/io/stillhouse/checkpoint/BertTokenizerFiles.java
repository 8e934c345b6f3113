package io.stillhouse.checkpoint;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.spec.Architecture;
import io.stillhouse.text.Casing;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.text.TokenizerJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Writes the tokenizer files of a Hugging Face directory. */
public final class BertTokenizerFiles {
  private static final List<String> CASING_KEYS = List.of("doLowerCase", "do_lower_case");

  /** Key that lists the arrays that the tokenizer passes to a model. */
  private static final String INPUT_NAMES = "model_input_names";

  private BertTokenizerFiles() {}

  /**
   * Writes {@code vocab.txt}, {@code tokenizer.json} and {@code tokenizer_config.json}.
   *
   * @param settings JSON file that may state whether text is lower-cased; otherwise this is
   *     inferred from the vocabulary
   */
  public static void fromVocab(Path vocab, @Nullable Path settings, Path model) throws IOException {
    Files.createDirectories(model);
    List<String> tokens = Files.readAllLines(vocab);
    Casing casing = Tokenizer.casing(tokens);
    if (settings != null) {
      JsonObject json = JsonFile.read(settings);
      for (String key : CASING_KEYS) {
        if (json.has(key)) {
          casing = json.get(key).getAsBoolean() ? Casing.UNCASED : Casing.CASED;
        }
      }
    }
    Files.copy(vocab, model.resolve("vocab.txt"), StandardCopyOption.REPLACE_EXISTING);
    Files.writeString(model.resolve("tokenizer.json"), TokenizerJson.of(vocab, tokens, casing));
    writeConfig(model, casing);
  }

  /** Copies {@code tokenizer.json} and writes a matching {@code tokenizer_config.json}. */
  public static void fromJson(Path tokenizer, Path model) throws IOException {
    Files.createDirectories(model);
    Files.copy(tokenizer, model.resolve("tokenizer.json"), StandardCopyOption.REPLACE_EXISTING);
    writeConfig(model, casing(tokenizer));
  }

  private static Casing casing(Path tokenizer) throws IOException {
    JsonElement normalizer = JsonFile.read(tokenizer).get("normalizer");
    boolean lowers =
        normalizer != null
            && normalizer.isJsonObject()
            && normalizer.getAsJsonObject().has("lowercase")
            && normalizer.getAsJsonObject().get("lowercase").getAsBoolean();
    return lowers ? Casing.UNCASED : Casing.CASED;
  }

  /**
   * Sets the tokenizer class in a {@code tokenizer_config.json} that was copied from another model
   * to the one that Hugging Face expects for an architecture. DistilBERT's tokenizer produces no
   * segment ids. ALBERT gets BERT's, because its own tokenizer is not WordPiece.
   */
  static void setTokenizerClass(Path model, Architecture architecture) throws IOException {
    Path file = model.resolve("tokenizer_config.json");
    if (!Files.exists(file)) {
      if (architecture == Architecture.BERT) {
        return; // BERT is the default
      }
      Path json = model.resolve("tokenizer.json");
      writeConfig(
          model,
          Files.exists(json)
              ? casing(json)
              : Tokenizer.casing(Files.readAllLines(model.resolve("vocab.txt"))));
    }
    JsonObject json = JsonFile.read(file);
    boolean segments = architecture.hasSegments();
    String wanted = segments ? "BertTokenizer" : "DistilBertTokenizer";
    JsonElement named = json.get("tokenizer_class");
    boolean isDefault = named == null && architecture == Architecture.BERT;
    if (isDefault
        || (named != null && named.getAsString().replaceAll("Fast$", "").equals(wanted))) {
      return;
    }
    json.addProperty("tokenizer_class", wanted);
    json.remove(INPUT_NAMES);
    if (!segments) {
      JsonArray names = new JsonArray();
      names.add("input_ids");
      names.add("attention_mask");
      json.add(INPUT_NAMES, names);
    }
    Files.writeString(file, new GsonBuilder().setPrettyPrinting().create().toJson(json) + "\n");
  }

  private static void writeConfig(Path model, Casing casing) throws IOException {
    JsonObject json = new JsonObject();
    json.addProperty("tokenizer_class", "BertTokenizer");
    json.addProperty("do_lower_case", casing == Casing.UNCASED);
    json.addProperty("pad_token", Tokenizer.PAD);
    json.addProperty("unk_token", Tokenizer.UNK);
    json.addProperty("cls_token", Tokenizer.CLS);
    json.addProperty("sep_token", Tokenizer.SEP);
    json.addProperty("mask_token", Tokenizer.MASK);
    Files.writeString(
        model.resolve("tokenizer_config.json"),
        new GsonBuilder().setPrettyPrinting().create().toJson(json) + "\n");
  }
}

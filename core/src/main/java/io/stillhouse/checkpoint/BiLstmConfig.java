package io.stillhouse.checkpoint;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.BiLstmSpec.Texts;
import java.io.IOException;
import java.nio.file.Path;

/** Translates between the {@code config.json} of a BiLSTM and a {@link BiLstmSpec}. */
final class BiLstmConfig {
  private static final String MODEL_TYPE = "stillhouse-bilstm";

  private BiLstmConfig() {}

  static boolean isBiLstm(Path file) throws IOException {
    return HuggingFaceConfig.text(JsonFile.read(file), "model_type", "").equals(MODEL_TYPE);
  }

  static BiLstmSpec read(Path file) throws IOException {
    JsonObject json = JsonFile.read(file);
    return new BiLstmSpec(
        new BiLstmSpec.Words(
            HuggingFaceConfig.size(json, "vocab_size", file),
            HuggingFaceConfig.size(json, "word_vector_size", file)),
        new BiLstmSpec.Units(
            HuggingFaceConfig.size(json, "hidden_size", file),
            HuggingFaceConfig.size(json, "intermediate_size", file)),
        HuggingFaceConfig.number(json, "dropout", file, 0.0),
        HuggingFaceConfig.text(json, "text_pairs", "false").equals("true")
            ? Texts.PAIR
            : Texts.SINGLE,
        HuggingFaceConfig.classifier(json, file));
  }

  static void write(Path file, BiLstmSpec spec) throws IOException {
    JsonObject json = new JsonObject();
    JsonArray architectures = new JsonArray();
    architectures.add("StillhouseBiLstmForSequenceClassification");
    json.add("architectures", architectures);
    json.addProperty("model_type", MODEL_TYPE);
    json.addProperty("vocab_size", spec.vocabSize());
    json.addProperty("word_vector_size", spec.words().vectorSize());
    json.addProperty("hidden_size", spec.units().hiddenSize());
    json.addProperty("intermediate_size", spec.units().intermediateSize());
    json.addProperty("dropout", spec.dropout());
    json.addProperty("text_pairs", spec.texts() == Texts.PAIR);
    json.addProperty("torch_dtype", "float32");
    HuggingFaceConfig.addHead(json, spec.head());
    HuggingFaceConfig.write(file, json);
  }
}

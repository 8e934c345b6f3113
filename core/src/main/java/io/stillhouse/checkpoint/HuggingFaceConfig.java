package io.stillhouse.checkpoint;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Translates between Hugging Face's {@code config.json} and a {@link ModelSpec}. */
final class HuggingFaceConfig {
  private HuggingFaceConfig() {}

  /**
   * A config that has been read.
   *
   * @param spec with no head where {@code architectures} is missing
   * @param classifier the head that a classifier would have, by the config's labels
   */
  record Read(ModelSpec spec, boolean namesArchitecture, Head classifier) {
    /** Returns the model, its head told by the tensors where the config does not tell. */
    ModelSpec under(Set<String> tensors) {
      if (namesArchitecture) {
        return spec;
      }
      return tensors.contains("classifier.weight")
          ? spec.withHead(classifier)
          : tensors.contains("cls.predictions.transform.dense.weight")
              ? spec.withHead(Head.MASKED_LM)
              : spec;
    }
  }

  /** Reads a config, refusing everything that we would not compute exactly. */
  static Read read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw Errors.invalid(
          "'%s' is not a Hugging Face directory: it has no %s"
              .formatted(file.getParent(), file.getFileName()),
          "make one with import, or correct the path");
    }
    JsonObject json = JsonFile.read(file);
    List<String> problems = new ArrayList<>();
    requireExact(json, "model_type", "bert", problems);
    requireExact(json, "hidden_act", "gelu", problems);
    requireExact(json, "position_embedding_type", "absolute", problems);
    if (text(json, "is_decoder", "false").equals("true")) {
      problems.add("is_decoder is true, but only encoders are computed");
    }
    if (!problems.isEmpty()) {
      throw Errors.invalid(
          "'%s': %s".formatted(file, String.join("; ", problems)), "use a BERT encoder as teacher");
    }
    double dropout = number(json, "hidden_dropout_prob", file, 0.1);
    ModelSpec spec =
        new ModelSpec(
            new ModelSpec.Embeddings(
                size(json, "vocab_size", file),
                size(json, "max_position_embeddings", file),
                (int) number(json, "type_vocab_size", file, 2.0),
                (int) number(json, "pad_token_id", file, 0.0)),
            new ModelSpec.Blocks(
                size(json, "num_hidden_layers", file),
                size(json, "hidden_size", file),
                size(json, "num_attention_heads", file),
                size(json, "intermediate_size", file)),
            new ModelSpec.Numerics(
                number(json, "layer_norm_eps", file, 1e-12),
                dropout,
                number(json, "attention_probs_dropout_prob", file, 0.1),
                number(json, "classifier_dropout", file, dropout)),
            head(json, file));
    if (spec.hiddenSize() % spec.heads() != 0) {
      throw Errors.invalid(
          "'%s': hidden_size %d is not a multiple of num_attention_heads %d"
              .formatted(file, spec.hiddenSize(), spec.heads()),
          "correct the one that is wrong");
    }
    return new Read(spec, architecture(json) != null, classifier(json));
  }

  private static @Nullable String architecture(JsonObject json) {
    JsonElement names = json.get("architectures");
    return names == null || !names.isJsonArray() || names.getAsJsonArray().isEmpty()
        ? null
        : names.getAsJsonArray().get(0).getAsString();
  }

  /** Returns the head that a classifier has, by its labels. */
  static Head classifier(JsonObject json) {
    List<String> labels = labels(json);
    String problem = text(json, "problem_type", "");
    if (problem.equals("multi_label_classification")) {
      return new Head(Task.MULTI_LABEL, labels);
    }
    return labels.size() < 2 || problem.equals("regression")
        ? Head.REGRESSION
        : new Head(Task.CLASSIFICATION, labels);
  }

  private static Head head(JsonObject json, Path file) {
    String architecture = architecture(json);
    if (architecture == null) {
      return Head.NONE;
    }
    return switch (architecture) {
      case "BertModel" -> Head.NONE;
      case "BertForMaskedLM", "BertForPreTraining" -> Head.MASKED_LM;
      case "BertForSequenceClassification" -> classifier(json);
      default ->
          throw Errors.invalid(
              "'%s': architecture %s is not computed here".formatted(file, architecture),
              "use BertModel, BertForMaskedLM or BertForSequenceClassification");
    };
  }

  private static List<String> labels(JsonObject json) {
    JsonElement names = json.get("id2label");
    if (names != null && names.isJsonObject()) {
      JsonObject byId = names.getAsJsonObject();
      return IntStream.range(0, byId.size())
          .mapToObj(
              id ->
                  byId.has(Integer.toString(id))
                      ? byId.get(Integer.toString(id)).getAsString()
                      : "LABEL_" + id)
          .toList();
    }
    int count = json.has("num_labels") ? json.get("num_labels").getAsInt() : 2;
    return IntStream.range(0, count).mapToObj(id -> "LABEL_" + id).toList();
  }

  /** Writes the config that {@code from_pretrained} reads. */
  static void write(Path file, ModelSpec spec) throws IOException {
    JsonObject json = new JsonObject();
    JsonArray architectures = new JsonArray();
    architectures.add(
        switch (spec.head().task()) {
          case NONE -> "BertModel";
          case MASKED_LM -> "BertForMaskedLM";
          case CLASSIFICATION, REGRESSION, MULTI_LABEL -> "BertForSequenceClassification";
        });
    json.add("architectures", architectures);
    json.addProperty("model_type", "bert");
    json.addProperty("vocab_size", spec.embeddings().vocabSize());
    json.addProperty("max_position_embeddings", spec.embeddings().maxPositions());
    json.addProperty("type_vocab_size", spec.embeddings().typeVocabSize());
    json.addProperty("pad_token_id", spec.embeddings().padTokenId());
    json.addProperty("num_hidden_layers", spec.layers());
    json.addProperty("hidden_size", spec.hiddenSize());
    json.addProperty("num_attention_heads", spec.heads());
    json.addProperty("intermediate_size", spec.blocks().intermediateSize());
    json.addProperty("hidden_act", "gelu");
    json.addProperty("position_embedding_type", "absolute");
    json.addProperty("layer_norm_eps", spec.numerics().layerNormEps());
    json.addProperty("hidden_dropout_prob", spec.numerics().hiddenDropout());
    json.addProperty("attention_probs_dropout_prob", spec.numerics().attentionDropout());
    json.addProperty("classifier_dropout", spec.numerics().classifierDropout());
    json.addProperty("initializer_range", 0.02);
    json.addProperty("torch_dtype", "float32");
    addHead(json, spec.head());
    write(file, json);
  }

  /** Names the classes of a classifier, or says that it predicts a score. */
  static void addHead(JsonObject json, Head head) {
    if (head.task() == Task.REGRESSION) {
      json.addProperty("problem_type", "regression");
      json.add("id2label", object("0", "LABEL_0"));
      JsonObject ids = new JsonObject();
      ids.addProperty("LABEL_0", 0);
      json.add("label2id", ids);
    } else if (head.task().pooled()) {
      json.addProperty(
          "problem_type",
          head.task() == Task.MULTI_LABEL
              ? "multi_label_classification"
              : "single_label_classification");
      JsonObject names = new JsonObject();
      JsonObject ids = new JsonObject();
      for (int id = 0; id < head.labels().size(); id++) {
        names.addProperty(Integer.toString(id), head.labels().get(id));
        ids.addProperty(head.labels().get(id), id);
      }
      json.add("id2label", names);
      json.add("label2id", ids);
    }
  }

  static void write(Path file, JsonObject json) throws IOException {
    Files.writeString(
        file,
        new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create().toJson(json) + "\n");
  }

  private static JsonObject object(String key, String value) {
    JsonObject object = new JsonObject();
    object.addProperty(key, value);
    return object;
  }

  private static void requireExact(
      JsonObject json, String key, String only, List<String> problems) {
    String value = text(json, key, key.equals("model_type") ? "(none)" : only);
    if (!value.equals(only)) {
      problems.add("%s is '%s', but only '%s' is computed exactly".formatted(key, value, only));
    }
  }

  static String text(JsonObject json, String key, String orElse) {
    JsonElement value = json.get(key);
    return value == null || value.isJsonNull() ? orElse : value.getAsString();
  }

  static int size(JsonObject json, String key, Path file) {
    int size = (int) number(json, key, file, null);
    if (size < 1) {
      throw Errors.invalid(
          "'%s': %s must be >= 1, but is %d".formatted(file, key, size), "correct it");
    }
    return size;
  }

  static double number(JsonObject json, String key, Path file, @Nullable Double orElse) {
    JsonElement value = json.get(key);
    if (value == null || value.isJsonNull()) {
      if (orElse == null) {
        throw Errors.invalid("'%s' lacks %s".formatted(file, key), "add it");
      }
      return orElse;
    }
    try {
      return value.getAsDouble();
    } catch (NumberFormatException | UnsupportedOperationException e) {
      throw Errors.invalid(
          "'%s': %s is not a number: %s".formatted(file, key, value), "correct it", e);
    }
  }
}

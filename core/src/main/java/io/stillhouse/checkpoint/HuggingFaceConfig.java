package io.stillhouse.checkpoint;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.ClassNames;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Translates between Hugging Face's {@code config.json} and an {@link EncoderSpec}. */
final class HuggingFaceConfig {
  private static final String BARE = "Model";
  private static final String MASKED_LM = "ForMaskedLM";
  private static final String PRE_TRAINING = "ForPreTraining";
  private static final String CLASSIFIER = "ForSequenceClassification";

  private HuggingFaceConfig() {}

  /**
   * A parsed config.
   *
   * @param spec the model; without a head if {@code architectures} is missing
   * @param classifier returns the head of a classifier with the config's labels
   */
  record Read(EncoderSpec spec, boolean namesArchitecture, Supplier<Head> classifier) {
    /**
     * Returns the model, inferring its head from the tensors if the config does not name an
     * architecture.
     */
    EncoderSpec specFor(Set<String> tensors) {
      if (namesArchitecture) {
        return spec;
      }
      return tensors.contains("classifier.weight")
          ? spec.withHead(classifier.get())
          : tensors.contains("cls.predictions.transform.dense.weight")
              ? spec.withHead(Head.MASKED_LM)
              : spec;
    }
  }

  /** Reads a config. Throws if the model uses a setting that is not supported. */
  static Read read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw Errors.invalid(
          "'%s' is not a Hugging Face directory: it has no %s"
              .formatted(file.getParent(), file.getFileName()),
          "create one with import, or correct the path");
    }
    JsonObject json = JsonFile.read(file);
    List<String> problems = new ArrayList<>();
    String modelType = text(json, "model_type", "(none)");
    Optional<Dialect> known = Dialect.ofModelType(modelType);
    if (known.isEmpty()) {
      problems.add(
          "model_type is '%s', but only %s are supported"
              .formatted(modelType, Dialect.MODEL_TYPES));
    }
    Dialect dialect = known.orElse(Dialect.BERT);
    boolean albert = dialect == Dialect.ALBERT;
    requireExact(json, dialect.keys().activation(), "gelu", albert ? "gelu_new" : "gelu", problems);
    requireExact(json, "position_embedding_type", "absolute", "absolute", problems);
    if (albert) {
      requireExact(json, "num_hidden_groups", "1", "1", problems);
      requireExact(json, "inner_group_num", "1", "1", problems);
    }
    if (text(json, "is_decoder", "false").equals("true")) {
      problems.add("is_decoder is true, but only encoders are supported");
    }
    if (!problems.isEmpty()) {
      throw Errors.invalid(
          "'%s': %s".formatted(file, String.join("; ", problems)), "use a BERT encoder as teacher");
    }
    EncoderSpec spec = spec(json, dialect, file);
    if (spec.hiddenSize() % spec.heads() != 0) {
      throw Errors.invalid(
          "'%s': %s %d is not a multiple of %s %d"
              .formatted(
                  file,
                  dialect.keys().sizes().hiddenSize(),
                  spec.hiddenSize(),
                  dialect.keys().sizes().heads(),
                  spec.heads()),
          "correct the one that is wrong");
    }
    return new Read(spec, architecture(json) != null, () -> classifier(json, file));
  }

  private static EncoderSpec spec(JsonObject json, Dialect dialect, Path file) {
    Dialect.Sizes sizes = dialect.keys().sizes();
    int width = size(json, sizes.hiddenSize(), file);
    return new EncoderSpec(
        dialect.architecture(),
        dialect == Dialect.ALBERT ? (int) number(json, "embedding_size", file, 128.0) : width,
        new EncoderSpec.Embeddings(
            size(json, "vocab_size", file),
            size(json, "max_position_embeddings", file),
            dialect == Dialect.DISTILBERT ? 0 : (int) number(json, "type_vocab_size", file, 2.0),
            (int) number(json, "pad_token_id", file, 0.0)),
        new EncoderSpec.Blocks(
            size(json, sizes.layers(), file),
            width,
            size(json, sizes.heads(), file),
            size(json, sizes.intermediateSize(), file)),
        numerics(json, dialect, file),
        head(json, dialect, file));
  }

  /** Reads optional settings, with Hugging Face's defaults. */
  private static EncoderSpec.Numerics numerics(JsonObject json, Dialect dialect, Path file) {
    Dialect.Dropouts keys = dialect.keys().dropouts();
    double defaultDropout = dialect == Dialect.ALBERT ? 0.0 : 0.1;
    double hidden = number(json, keys.hidden(), file, defaultDropout);
    double classifier =
        switch (dialect) {
          case BERT -> hidden;
          case DISTILBERT -> 0.2;
          case ALBERT -> 0.1;
        };
    return new EncoderSpec.Numerics(
        dialect == Dialect.DISTILBERT
            ? Architecture.DISTILBERT_EPS
            : number(json, "layer_norm_eps", file, 1e-12),
        hidden,
        number(json, keys.attention(), file, defaultDropout),
        number(json, keys.classifier(), file, classifier));
  }

  private static @Nullable String architecture(JsonObject json) {
    JsonElement names = json.get("architectures");
    return names == null || !names.isJsonArray() || names.getAsJsonArray().isEmpty()
        ? null
        : names.getAsJsonArray().get(0).getAsString();
  }

  /** Returns the head of a classifier with the config's labels. */
  static Head classifier(JsonObject json, Path file) {
    List<String> labels = labels(json, file);
    String problem = text(json, "problem_type", "");
    if (problem.equals("multi_label_classification") && !labels.isEmpty()) {
      return new Head(Task.MULTI_LABEL, labels);
    }
    return labels.size() < 2 || problem.equals("regression")
        ? Head.REGRESSION
        : new Head(Task.CLASSIFICATION, labels);
  }

  private static Head head(JsonObject json, Dialect dialect, Path file) {
    String architecture = architecture(json);
    if (architecture == null) {
      return Head.NONE;
    }
    for (String suffix : List.of(BARE, MASKED_LM, PRE_TRAINING, CLASSIFIER)) {
      if (architecture.equals(dialect.className(suffix))) {
        return switch (suffix) {
          case BARE -> Head.NONE;
          case CLASSIFIER -> classifier(json, file);
          default -> Head.MASKED_LM;
        };
      }
    }
    throw Errors.invalid(
        "'%s': architecture %s is not supported".formatted(file, architecture),
        "use %s, %s or %s"
            .formatted(
                dialect.className(BARE),
                dialect.className(MASKED_LM),
                dialect.className(CLASSIFIER)));
  }

  private static List<String> labels(JsonObject json, Path file) {
    JsonElement names = json.get("id2label");
    if (names == null || names.isJsonNull()) {
      int count = (int) number(json, "num_labels", file, 2.0);
      return IntStream.range(0, count).mapToObj(id -> "LABEL_" + id).toList();
    }
    if (!names.isJsonObject()) {
      throw Errors.invalid(
          "'%s': id2label must map ids to names, but is %s".formatted(file, names), "correct it");
    }
    Map<String, JsonElement> byId = names.getAsJsonObject().asMap();
    List<String> labels = new ArrayList<>();
    for (int id = 0; id < byId.size(); id++) {
      JsonElement name = byId.get(Integer.toString(id));
      if (name == null || !name.isJsonPrimitive()) {
        throw Errors.invalid(
            "'%s': id2label must name each id from 0 to %d, but names %s"
                .formatted(file, byId.size() - 1, ClassNames.shown(List.copyOf(byId.keySet()))),
            "name every output of the classifier, in the order of its rows");
      }
      labels.add(name.getAsString());
    }
    return labels;
  }

  /** Writes the config that {@code from_pretrained} reads. */
  static void write(Path file, EncoderSpec spec) throws IOException {
    Dialect dialect = Dialect.of(spec.architecture());
    JsonObject json = new JsonObject();
    JsonArray architectures = new JsonArray();
    architectures.add(
        dialect.className(
            switch (spec.head().task()) {
              case NONE -> BARE;
              case MASKED_LM -> MASKED_LM;
              case CLASSIFICATION, REGRESSION, MULTI_LABEL -> CLASSIFIER;
            }));
    json.add("architectures", architectures);
    json.addProperty("model_type", dialect.modelType());
    writeShape(json, dialect, spec);
    Dialect.Dropouts dropouts = dialect.keys().dropouts();
    json.addProperty(dropouts.hidden(), spec.numerics().hiddenDropout());
    json.addProperty(dropouts.attention(), spec.numerics().attentionDropout());
    json.addProperty(dropouts.classifier(), spec.numerics().classifierDropout());
    json.addProperty("initializer_range", 0.02);
    json.addProperty("torch_dtype", "float32");
    addHead(json, spec.head());
    write(file, json);
  }

  /** Adds the classes of a classifier, or the problem type of a regression model. */
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

  private static void writeShape(JsonObject json, Dialect dialect, EncoderSpec spec) {
    json.addProperty("vocab_size", spec.embeddings().vocabSize());
    if (dialect == Dialect.ALBERT) {
      json.addProperty("embedding_size", spec.embeddingSize());
    }
    json.addProperty("max_position_embeddings", spec.embeddings().maxPositions());
    if (dialect == Dialect.DISTILBERT) {
      json.addProperty("sinusoidal_pos_embds", false);
    } else {
      json.addProperty("type_vocab_size", spec.embeddings().typeVocabSize());
    }
    json.addProperty("pad_token_id", spec.embeddings().padTokenId());
    Dialect.Sizes sizes = dialect.keys().sizes();
    json.addProperty(sizes.layers(), spec.layers());
    if (dialect == Dialect.ALBERT) {
      json.addProperty("num_hidden_groups", 1);
      json.addProperty("inner_group_num", 1);
    }
    json.addProperty(sizes.hiddenSize(), spec.hiddenSize());
    json.addProperty(sizes.heads(), spec.heads());
    json.addProperty(sizes.intermediateSize(), spec.blocks().intermediateSize());
    json.addProperty(dialect.keys().activation(), "gelu");
    if (dialect != Dialect.DISTILBERT) {
      json.addProperty("position_embedding_type", "absolute");
      json.addProperty("layer_norm_eps", spec.numerics().layerNormEps());
    }
  }

  private static JsonObject object(String key, String value) {
    JsonObject object = new JsonObject();
    object.addProperty(key, value);
    return object;
  }

  private static void requireExact(
      JsonObject json, String key, String only, String defaultValue, List<String> problems) {
    String value = text(json, key, defaultValue);
    if (!value.equals(only)) {
      problems.add("%s is '%s', but only '%s' is supported".formatted(key, value, only));
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

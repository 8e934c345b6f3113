package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.Activation;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/** Translates between Hugging Face's {@code config.json} and an {@link EncoderSpec}. */
final class HuggingFaceConfig {
  private static final String BARE = "Model";
  private static final String MASKED_LM = "ForMaskedLM";
  private static final String PRE_TRAINING = "ForPreTraining";
  private static final String CLASSIFIER = "ForSequenceClassification";
  private static final String ARCHITECTURES = "architectures";
  private static final String MODEL_TYPE = "model_type";
  private static final String PAD = "pad_token_id";

  /** More than any encoder has; a mistyped number must not fill the memory with names. */
  private static final int MAX_LAYERS = 1000;

  private HuggingFaceConfig() {}

  /**
   * A parsed config.
   *
   * @param spec the model; without a head if {@code architectures} is missing
   * @param namesArchitecture whether the config has {@code architectures}, which tell the head
   * @param classifier returns the head of a classifier with the config's labels
   * @param notes what the config does not say and was assumed, one sentence each
   */
  record Read(
      EncoderSpec spec, boolean namesArchitecture, Supplier<Head> classifier, List<String> notes) {
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
    ConfigFile config = ConfigFile.read(file);
    List<String> problems = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    Dialect dialect = dialect(config, problems, notes);
    if (activation(config, dialect).isEmpty()) {
      problems.add(
          format(
              "%s is '%s', but only %s are supported",
              dialect.keys().activation(),
              Errors.shortened(config.text(dialect.keys().activation(), "")),
              Activation.NAMES));
    }
    requireExact(config, "position_embedding_type", "absolute", problems);
    if (dialect == Dialect.ALBERT) {
      requireExact(config, "num_hidden_groups", "1", problems);
      requireExact(config, "inner_group_num", "1", problems);
    }
    if (config.flag("is_decoder")) {
      problems.add("is_decoder is true, but only encoders are supported");
    }
    if (!problems.isEmpty()) {
      throw Errors.invalid(
          format("'%s': %s", file, Errors.joined(problems)), "use a BERT encoder as teacher");
    }
    EncoderSpec spec = spec(config, dialect);
    if (spec.hiddenSize() % spec.heads() != 0) {
      throw Errors.invalid(
          format(
              "'%s': %s %d is not a multiple of %s %d",
              file,
              dialect.keys().sizes().hiddenSize(),
              spec.hiddenSize(),
              dialect.keys().sizes().heads(),
              spec.heads()),
          "correct the one that is wrong");
    }
    return new Read(spec, config.first(ARCHITECTURES) != null, () -> classifier(config), notes);
  }

  /**
   * Returns how the config represents an architecture. Old configs have no model type, but a class
   * or keys of their own.
   */
  private static Dialect dialect(ConfigFile config, List<String> problems, List<String> notes) {
    if (config.has(MODEL_TYPE)) {
      String modelType = config.text(MODEL_TYPE, "");
      Optional<Dialect> known = Dialect.ofModelType(modelType);
      if (known.isEmpty()) {
        problems.add(
            format(
                "model_type is '%s', but only %s are supported",
                Errors.shortened(modelType), Dialect.MODEL_TYPES));
      }
      return known.orElse(Dialect.BERT);
    }
    String architecture = config.first(ARCHITECTURES);
    Dialect likely =
        architecture != null
            ? Dialect.ofClass(architecture).orElse(Dialect.BERT)
            : Dialect.ofKeys(config.json().keySet());
    notes.add(
        format("config.json has no model_type; the model is read as '%s'", likely.modelType()));
    return likely;
  }

  private static Optional<Activation> activation(ConfigFile config, Dialect dialect) {
    Activation usual = dialect == Dialect.ALBERT ? Activation.GELU_NEW : Activation.GELU;
    String name = config.text(dialect.keys().activation(), usual.id());
    return name.equals("gelu_python") ? Optional.of(Activation.GELU) : Activation.named(name);
  }

  private static EncoderSpec spec(ConfigFile config, Dialect dialect) {
    Dialect.Sizes sizes = dialect.keys().sizes();
    int width = config.size(sizes.hiddenSize());
    int words = config.size("vocab_size");
    return new EncoderSpec(
        dialect.architecture(),
        dialect == Dialect.ALBERT ? config.size("embedding_size", 128) : width,
        new EncoderSpec.Embeddings(
            words,
            config.size("max_position_embeddings"),
            dialect == Dialect.DISTILBERT ? 0 : config.size("type_vocab_size", 2),
            config.whole(PAD, config.number(PAD, 0.0), 0, words - 1)),
        new EncoderSpec.Blocks(
            config.whole(sizes.layers(), config.size(sizes.layers()), 1, MAX_LAYERS),
            width,
            config.size(sizes.heads()),
            config.size(sizes.intermediateSize()),
            activation(config, dialect).orElseThrow()),
        numerics(config, dialect),
        head(config, dialect));
  }

  /** Reads optional settings, with Hugging Face's defaults. */
  private static EncoderSpec.Numerics numerics(ConfigFile config, Dialect dialect) {
    Dialect.Dropouts keys = dialect.keys().dropouts();
    double defaultDropout = dialect == Dialect.ALBERT ? 0.0 : 0.1;
    double hidden = config.rate(keys.hidden(), defaultDropout);
    double classifier =
        switch (dialect) {
          case BERT -> hidden;
          case DISTILBERT -> 0.2;
          case ALBERT -> 0.1;
        };
    return new EncoderSpec.Numerics(
        dialect == Dialect.DISTILBERT
            ? Architecture.DISTILBERT_EPS
            : config.rate("layer_norm_eps", 1e-12),
        hidden,
        config.rate(keys.attention(), defaultDropout),
        config.rate(keys.classifier(), classifier));
  }

  /** Returns the head of a classifier with the config's labels. */
  static Head classifier(ConfigFile config) {
    List<String> labels = config.labels();
    String problem = config.text("problem_type", "");
    if (problem.equals("multi_label_classification") && !labels.isEmpty()) {
      return new Head(Task.MULTI_LABEL, labels);
    }
    return labels.size() < 2 || problem.equals("regression")
        ? Head.REGRESSION
        : new Head(Task.CLASSIFICATION, labels);
  }

  private static Head head(ConfigFile config, Dialect dialect) {
    String architecture = config.first(ARCHITECTURES);
    if (architecture == null) {
      return Head.NONE;
    }
    for (String suffix : List.of(BARE, MASKED_LM, PRE_TRAINING, CLASSIFIER)) {
      if (architecture.equals(dialect.className(suffix))) {
        return switch (suffix) {
          case BARE -> Head.NONE;
          case CLASSIFIER -> classifier(config);
          default -> Head.MASKED_LM;
        };
      }
    }
    throw Errors.invalid(
        format(
            "'%s': architecture %s is not supported",
            config.file(), Errors.shortened(architecture)),
        format(
            "use %s, %s or %s",
            dialect.className(BARE), dialect.className(MASKED_LM), dialect.className(CLASSIFIER)));
  }

  /** Writes the config that {@code from_pretrained} reads. */
  static void write(Path file, EncoderSpec spec) throws IOException {
    Dialect dialect = Dialect.of(spec.architecture());
    JsonObject json = new JsonObject();
    addClass(json, spec);
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

  private static void addClass(JsonObject json, EncoderSpec spec) {
    Dialect dialect = Dialect.of(spec.architecture());
    JsonArray architectures = new JsonArray();
    architectures.add(
        dialect.className(
            switch (spec.head().task()) {
              case NONE -> BARE;
              case MASKED_LM -> MASKED_LM;
              case CLASSIFICATION, REGRESSION, MULTI_LABEL -> CLASSIFIER;
            }));
    json.add(ARCHITECTURES, architectures);
    json.addProperty(MODEL_TYPE, dialect.modelType());
  }

  /**
   * Copies a config next to float32 weights, with the model type and the class that old configs
   * lack. Keys that this program does not read are kept.
   */
  static void copy(Path from, Path to, EncoderSpec spec) throws IOException {
    JsonObject json = new JsonObject();
    addClass(json, spec);
    ConfigFile source = ConfigFile.read(from);
    JsonObject copied = source.json().deepCopy();
    if (source.first(ARCHITECTURES) == null) {
      copied.remove(ARCHITECTURES);
    }
    if (!source.has(MODEL_TYPE)) {
      copied.remove(MODEL_TYPE);
    }
    copied.entrySet().forEach(entry -> json.add(entry.getKey(), entry.getValue()));
    json.remove("dtype");
    json.addProperty("torch_dtype", "float32");
    write(to, json);
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
    json.addProperty(dialect.keys().activation(), spec.blocks().activation().id());
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
      ConfigFile config, String key, String only, List<String> problems) {
    String value = config.text(key, only);
    if (!value.equals(only)) {
      problems.add(
          format("%s is '%s', but only '%s' is supported", key, Errors.shortened(value), only));
    }
  }
}

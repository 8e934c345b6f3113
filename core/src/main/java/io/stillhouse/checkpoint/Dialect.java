package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import io.stillhouse.spec.Architecture;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** How Hugging Face's {@code config.json} represents an architecture. */
enum Dialect {
  BERT(
      Architecture.BERT,
      "Bert",
      new Keys(
          new Sizes("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size"),
          "hidden_act",
          new Dropouts(
              "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"))),
  DISTILBERT(
      Architecture.DISTILBERT,
      "DistilBert",
      new Keys(
          new Sizes("n_layers", "dim", "n_heads", "hidden_dim"),
          "activation",
          new Dropouts("dropout", "attention_dropout", "seq_classif_dropout"))),
  ALBERT(
      Architecture.ALBERT,
      "Albert",
      new Keys(
          BERT.keys.sizes(),
          "hidden_act",
          new Dropouts(
              "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob")));

  /** All model types, for messages. */
  static final String MODEL_TYPES =
      Arrays.stream(values())
          .map(dialect -> format("'%s'", dialect.modelType()))
          .collect(Collectors.joining(", "));

  private final Architecture architecture;
  private final String classPrefix;
  private final Keys keys;

  Dialect(Architecture architecture, String classPrefix, Keys keys) {
    this.architecture = architecture;
    this.classPrefix = classPrefix;
    this.keys = keys;
  }

  /** The config keys of sizes, activation and dropout rates. */
  record Keys(Sizes sizes, String activation, Dropouts dropouts) {}

  /** Keys of the stack of blocks. */
  record Sizes(String layers, String hiddenSize, String heads, String intermediateSize) {}

  /** Keys of the dropout rates. */
  record Dropouts(String hidden, String attention, String classifier) {}

  static Optional<Dialect> ofModelType(String modelType) {
    return Arrays.stream(values())
        .filter(dialect -> dialect.modelType().equals(modelType))
        .findFirst();
  }

  /** Returns the dialect of a class such as {@code BertForMaskedLM}. */
  static Optional<Dialect> ofClass(String name) {
    return Arrays.stream(values())
        .filter(dialect -> name.matches(dialect.classPrefix + "(Model|For[A-Z]).*"))
        .findFirst();
  }

  /** Returns the dialect with these keys of a config: each but BERT's has one of its own. */
  static Dialect ofKeys(Set<String> keys) {
    return keys.contains(DISTILBERT.keys.sizes().hiddenSize())
        ? DISTILBERT
        : keys.contains("num_hidden_groups") ? ALBERT : BERT;
  }

  static Dialect of(Architecture architecture) {
    return valueOf(architecture.name());
  }

  Architecture architecture() {
    return architecture;
  }

  String modelType() {
    return name().toLowerCase(Locale.ROOT);
  }

  Keys keys() {
    return keys;
  }

  /** Returns the class name for a suffix, such as {@code BertForMaskedLM}. */
  String className(String suffix) {
    return classPrefix + suffix;
  }
}

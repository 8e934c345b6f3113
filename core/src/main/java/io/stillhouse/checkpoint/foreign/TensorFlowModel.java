package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonObject;
import io.stillhouse.checkpoint.ConfigFile;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.Activation;
import io.stillhouse.spec.EncoderSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads Google's BERT from TensorFlow variables of a checkpoint or a SavedModel. */
final class TensorFlowModel {
  /** The names may be preceded by the scope under which the model was built. */
  private static final Pattern NAME = Pattern.compile("(?:.*/)?((?:bert|cls)/.*)");

  private static final Pattern OPTIMIZER = Pattern.compile(".*/(adam_m|adam_v|Adam|Adam_1)$");

  /** The head size of all of Google's BERT models. */
  private static final int HEAD_SIZE = 64;

  private static final double LAYER_NORM_EPS = 1e-12;

  private TensorFlowModel() {}

  static Importable read(Path index) throws IOException {
    NamedTensors named = new NamedTensors(index);
    List<String> notes = new ArrayList<>();
    List<String> leftOut = new ArrayList<>();
    for (Map.Entry<String, LazyTensor> variable : TensorBundle.read(index).entrySet()) {
      String name = canonical(variable.getKey());
      if (name == null) {
        if (!OPTIMIZER.matcher(variable.getKey()).matches()) {
          leftOut.add(Errors.shortened(variable.getKey()));
        }
        continue;
      }
      boolean kernel = variable.getKey().endsWith("/kernel");
      if (kernel && variable.getValue().shape().dimension() != 2) {
        throw Errors.invalid(
            format(
                "variable '%s' of '%s' has shape %s, but a kernel is a matrix",
                Errors.shortened(variable.getKey()), index, variable.getValue().shape()),
            "only BERT encoders can be imported");
      }
      named.put(
          name, variable.getKey(), kernel ? variable.getValue().transposed() : variable.getValue());
    }
    Map<String, LazyTensor> tensors = named.byName();
    if (!leftOut.isEmpty()) {
      notes.add(format("left out variables that are not BERT's: %s", Errors.joined(leftOut)));
    }
    boolean classifier = tensors.containsKey(Importable.CLASSIFIER);
    if (classifier != tensors.containsKey("classifier.bias")) {
      throw Errors.invalid(
          format("'%s' has only one of output_weights and output_bias", index),
          "save the whole classifier");
    }
    if (classifier) {
      notes.add("the checkpoint does not name its classes; they are called LABEL_0, LABEL_1, ...");
    }
    Path config = index.resolveSibling("bert_config.json");
    ConfigFile settings =
        Files.isRegularFile(config)
            ? ConfigFile.read(config)
            : new ConfigFile(config, new JsonObject());
    return new Importable(
        index,
        tensors,
        heads(index, settings, tensors, notes),
        activation(settings),
        LAYER_NORM_EPS,
        notes);
  }

  private static Activation activation(ConfigFile settings) {
    String name = settings.text("hidden_act", "gelu");
    return Activation.named(name)
        .orElseThrow(
            () ->
                Errors.invalid(
                    format(
                        "'%s': hidden_act is '%s', but only %s are supported",
                        settings.file(), Errors.shortened(name), Activation.NAMES),
                    "use a BERT encoder"));
  }

  private static @Nullable String canonical(String variable) {
    // run_classifier.py creates the head's variables outside of every scope.
    if (variable.equals("output_weights") || variable.equals("output_bias")) {
      return variable.equals("output_bias") ? "classifier.bias" : Importable.CLASSIFIER;
    }
    Matcher matcher = NAME.matcher(variable);
    if (!matcher.matches() || OPTIMIZER.matcher(variable).matches()) {
      return null;
    }
    String name =
        matcher
            .group(1)
            .replaceAll("/layer_(\\d+)/", "/layer/$1/")
            .replace('/', '.')
            .replaceAll("\\.kernel$", ".weight")
            .replaceAll("LayerNorm\\.gamma$", "LayerNorm.weight")
            .replaceAll("LayerNorm\\.beta$", "LayerNorm.bias")
            .replaceAll("_embeddings$", "_embeddings.weight");
    return switch (name) {
      case "cls.predictions.output_bias" -> "cls.predictions.bias";
      case "cls.seq_relationship.output_weights", "cls.seq_relationship.output_bias" -> null;
      default -> name;
    };
  }

  private static int heads(
      Path index, ConfigFile settings, Map<String, LazyTensor> tensors, List<String> notes) {
    if (settings.has("num_attention_heads")) {
      return settings.size("num_attention_heads");
    }
    LazyTensor words = tensors.get(EncoderSpec.WORDS);
    int width =
        words == null || words.shape().dimension() != 2 ? HEAD_SIZE : (int) words.shape().get(1);
    if (width % HEAD_SIZE != 0) {
      throw Errors.invalid(
          format(
              "'%s' does not say how many attention heads it has, and its width %d is not a"
                  + " multiple of %d, the head size of Google's models",
              index, width, HEAD_SIZE),
          "put its bert_config.json next to it");
    }
    notes.add(
        format(
            "assumed %d attention heads: width %d / %d, the head size of Google's BERT models",
            width / HEAD_SIZE, width, HEAD_SIZE));
    return width / HEAD_SIZE;
  }
}

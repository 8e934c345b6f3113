package io.stillhouse.jobs.predict;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.inference.Form;
import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.inference.Outputs;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Encoded;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;

/** A model with a task head, in any form, which predicts single texts on this machine. */
public final class TextClassifier {
  /** A label of a multi-label model is true if its probability exceeds this. */
  private static final double TRUE = 0.5;

  private final String name;
  private final InferenceModel model;
  private final Pairing pairing;

  /** The prediction for one text: the chosen labels with their probabilities, or a score. */
  public record Prediction(String text, List<Label> labels, double score) {
    /** Returns the labels and their probabilities, or the score of a regression, as text. */
    public String answer() {
      if (Double.isFinite(score)) {
        return number(score);
      }
      StringJoiner words = new StringJoiner(", ");
      words.setEmptyValue("(no label)");
      labels.forEach(label -> words.add(label.name() + " " + number(label.probability())));
      return words.toString();
    }

    private static String number(double value) {
      return format("%.4f", value);
    }
  }

  /** A class or a label, and its probability. */
  public record Label(String name, double probability) {}

  private TextClassifier(String name, InferenceModel model) {
    this.name = name;
    this.model = model;
    this.pairing = model.pairing(model.spec().maxTokens());
  }

  /**
   * Opens a model, which stays open until the process ends.
   *
   * @param path a directory of weights, or a file of an export
   * @throws io.stillhouse.error.StillhouseException if it is not a model, or has no head that
   *     predicts single texts
   */
  public static TextClassifier open(String path) throws IOException {
    ModelLocation location =
        ModelLocation.existing(Storage.ofThisProcess(), "model directory", path);
    Path directory = Models.copy(location.directory());
    ModelSpec spec =
        location.form() == Form.WEIGHTS
            ? ModelDirectory.open(directory).spec()
            : LoadedModels.spec(location);
    if (!spec.head().task().pooled()) {
      throw Errors.invalid(
          format(
              "'%s' has no task head (its head is %s), so it predicts no classes or scores",
              path, spec.head().task()),
          "name a fine-tuned teacher or one of its students");
    }
    if (spec instanceof BiLstmSpec biLstm && biLstm.texts() == BiLstmSpec.Texts.PAIR) {
      throw Errors.invalid(
          format("'%s' reads pairs of texts", path),
          "name a table of pairs and an output directory instead of texts, and set corpus.text and"
              + " corpus.pair");
    }
    String name = String.valueOf(directory.getFileName());
    ModelCheck.of(Settings.parse(null, List.of()), name, spec).requireReadsLines();
    logNotes(location, directory);
    return new TextClassifier(name, LoadedModels.open(location));
  }

  private static void logNotes(ModelLocation location, Path directory) throws IOException {
    if (location.form() == Form.WEIGHTS
        && ModelDirectory.open(directory) instanceof HuggingFaceDirectory encoder) {
      Models.logNotes(encoder);
    }
    Models.logTokenizerNotes(directory);
  }

  /**
   * Predicts texts, which are truncated to the model's maximum length.
   *
   * @throws io.stillhouse.error.StillhouseException if a text has no tokens, or an output of the
   *     model is not finite
   */
  public List<Prediction> predict(List<String> texts) {
    List<Encoded> all = model.tokenizer().encode(texts);
    for (int n = 0; n < texts.size(); n++) {
      if (all.get(n).ids().length == 0) {
        throw Errors.invalid(
            format("text %d is empty", n + 1), "write each text in quotes, such as \"a text\"");
      }
    }
    List<Prediction> predictions = new ArrayList<>();
    int notFinite = 0;
    for (Encoded encoded : all) {
      // One at a time: the last digits must not depend on the other texts.
      float[] logits = model.logits(List.of(pairing.single(encoded.ids())))[0];
      notFinite += Outputs.areFinite(logits) ? 0 : 1;
      predictions.add(prediction(model.spec().head(), texts.get(predictions.size()), logits));
    }
    ModelCheck.requireFinite(name, notFinite, texts.size());
    return predictions;
  }

  /** Interprets a head's logits as the likeliest class, all true labels, or the score. */
  static Prediction prediction(Head head, String text, float[] logits) {
    List<Label> labels = new ArrayList<>();
    switch (head.task()) {
      case REGRESSION -> {
        return new Prediction(text, labels, logits[0]);
      }
      case MULTI_LABEL -> {
        double[] probabilities = Outputs.sigmoid(logits);
        for (int label = 0; label < logits.length; label++) {
          if (probabilities[label] > TRUE) {
            labels.add(new Label(head.labels().get(label), probabilities[label]));
          }
        }
      }
      default -> {
        double[] probabilities = Outputs.softmax(logits);
        int best = Outputs.order(probabilities).get(0);
        labels.add(new Label(head.labels().get(best), probabilities[best]));
      }
    }
    return new Prediction(text, labels, Double.NaN);
  }
}

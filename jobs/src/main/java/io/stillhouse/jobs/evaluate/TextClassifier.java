package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.text.Encoded;
import io.stillhouse.text.Pairing;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.StringJoiner;

/** A teacher or student with a task head, which predicts single texts on this machine. */
public final class TextClassifier implements AutoCloseable {
  /** A label of a multi-label model is true if its probability exceeds this. */
  private static final double TRUE = 0.5;

  private final String name;
  private final Head head;
  private final NDManager manager;
  private final Tokenizer tokenizer;
  private final Predictor predictor;
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

  private TextClassifier(
      String name,
      ModelDirectory model,
      NDManager manager,
      Tokenizer tokenizer,
      Predictor predictor) {
    this.name = name;
    this.head = model.spec().head();
    this.manager = manager;
    this.tokenizer = tokenizer;
    this.predictor = predictor;
    this.pairing = new Pairing(tokenizer.clsId(), tokenizer.sepId(), model.spec().maxTokens());
  }

  /**
   * Opens a model.
   *
   * @throws io.stillhouse.error.StillhouseException if it is not a model, or has no head that
   *     predicts single texts
   */
  public static TextClassifier open(Path directory) throws IOException {
    ModelDirectory model = ModelDirectory.open(directory);
    if (!model.spec().head().task().pooled()) {
      throw Errors.invalid(
          format(
              "'%s' has no task head (its head is %s), so it predicts no classes or scores",
              directory, model.spec().head().task()),
          "name a fine-tuned teacher or one of its students");
    }
    if (model.spec() instanceof BiLstmSpec biLstm && biLstm.texts() == BiLstmSpec.Texts.PAIR) {
      throw Errors.invalid(
          format("'%s' reads pairs of texts", directory),
          "use evaluate with evaluate.predictions for a table of pairs");
    }
    String name = String.valueOf(directory.getFileName());
    ModelCheck.of(Settings.parse(null, List.of()), name, model.spec()).requireReadsLines();
    if (model instanceof HuggingFaceDirectory encoder) {
      Models.logNotes(encoder);
    }
    Models.logTokenizerNotes(directory);
    Autograd.record(Autograd.Mode.OFF);
    NDManager manager = Devices.cpu();
    try {
      Predictor predictor = ModelFactory.predictor(model.spec(), model.weights(manager));
      return new TextClassifier(name, model, manager, Tokenizer.open(directory), predictor);
    } catch (IOException | RuntimeException e) {
      manager.close();
      throw e;
    }
  }

  /**
   * Predicts texts, which are truncated to the model's maximum length.
   *
   * @throws io.stillhouse.error.StillhouseException if a text has no tokens, or an output of the
   *     model is not finite
   */
  public List<Prediction> predict(List<String> texts) {
    List<Encoded> all = tokenizer.encode(texts);
    for (int n = 0; n < texts.size(); n++) {
      if (all.get(n).ids().length == 0) {
        throw Errors.invalid(
            format("text %d is empty", n + 1), "write each text in quotes, such as \"a text\"");
      }
    }
    List<Prediction> predictions = new ArrayList<>();
    int notFinite = 0;
    for (Encoded encoded : all) {
      Pairing.Input input = pairing.single(encoded.ids());
      try (NDManager scope = manager.newSubManager()) {
        Batch batch = Batch.of(scope, List.of(input.ids()), List.of(input.tokenTypes()));
        EncoderOutput output = predictor.forward(batch, Capture.NONE);
        float[] logits = Objects.requireNonNull(output.logits()).toFloatArray();
        notFinite += isFinite(logits) ? 0 : 1;
        predictions.add(prediction(head, texts.get(predictions.size()), logits));
      }
    }
    ModelCheck.requireFinite(name, notFinite, texts.size());
    return predictions;
  }

  private static boolean isFinite(float[] logits) {
    for (float logit : logits) {
      if (!Float.isFinite(logit)) {
        return false;
      }
    }
    return true;
  }

  /** Interprets a head's logits as the likeliest class, all true labels, or the score. */
  static Prediction prediction(Head head, String text, float[] logits) {
    List<Label> labels = new ArrayList<>();
    switch (head.task()) {
      case REGRESSION -> {
        return new Prediction(text, labels, logits[0]);
      }
      case MULTI_LABEL -> {
        for (int label = 0; label < logits.length; label++) {
          double probability = 1 / (1 + Math.exp(-logits[label]));
          if (probability > TRUE) {
            labels.add(new Label(head.labels().get(label), probability));
          }
        }
      }
      default -> {
        int best = 0;
        for (int c = 1; c < logits.length; c++) {
          best = logits[c] > logits[best] ? c : best;
        }
        double sum = 0;
        for (float logit : logits) {
          sum += Math.exp((double) logit - logits[best]);
        }
        labels.add(new Label(head.labels().get(best), 1 / sum));
      }
    }
    return new Prediction(text, labels, Double.NaN);
  }

  @Override
  public void close() {
    tokenizer.close();
    manager.close();
  }
}

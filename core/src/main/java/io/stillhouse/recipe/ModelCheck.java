package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.NamedTask;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.text.ClassNames;
import io.stillhouse.text.LabelCodec;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Checks that a model can read a recipe's texts and predict its labels. Every command that runs a
 * model on a corpus makes these checks before it does any work.
 */
public final class ModelCheck {
  /** [CLS], one token, [SEP]. */
  private static final int LEAST_SINGLE = 3;

  private final Settings settings;
  private final String name;
  private final ModelSpec model;

  private ModelCheck(Settings settings, String name, ModelSpec model) {
    this.settings = settings;
    this.name = name;
    this.model = model;
  }

  /**
   * Creates the check of a model.
   *
   * @param name what messages call the model, such as "the teacher" or "'students/tiny'"
   */
  public static ModelCheck of(Settings settings, String name, ModelSpec model) {
    return new ModelCheck(settings, name, model);
  }

  /**
   * Requires that the model reads the rows of the corpus: it has a position for every token, and a
   * segment for every text of a row.
   *
   * @throws StillhouseException listing everything that does not fit
   */
  public ModelCheck requireReads() {
    List<String> problems = new ArrayList<>();
    positions().ifPresent(problems::add);
    boolean pairs = !settings.get(Options.CORPUS_PAIR).isEmpty();
    segments(pairs ? Options.CORPUS_PAIR.key() : "").ifPresent(problems::add);
    if (model instanceof BiLstmSpec biLstm && pairs != (biLstm.texts() == BiLstmSpec.Texts.PAIR)) {
      problems.add(
          pairs
              ? format(
                  "%s is '%s', but %s is a BiLSTM of single texts; remove the key, or use another"
                      + " model",
                  Options.CORPUS_PAIR.key(), settings.get(Options.CORPUS_PAIR), name)
              : format(
                  "%s is a BiLSTM of pairs, but %s is not set; set it to the column of the second"
                      + " text",
                  name, Options.CORPUS_PAIR.key()));
    }
    return require(problems);
  }

  /**
   * Requires that the model reads each text of the corpus on its own.
   *
   * @throws StillhouseException listing everything that does not fit
   */
  public ModelCheck requireReadsTexts() {
    return require(Stream.of(positions(), segments("")).flatMap(Optional::stream).toList());
  }

  private ModelCheck require(List<String> problems) {
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return this;
  }

  private Optional<String> positions() {
    int length = settings.get(Options.MAX_LENGTH);
    return length <= model.maxTokens()
        ? Optional.empty()
        : Optional.of(
            format(
                "%s must be at most the positions of %s, %d, but is '%d'; lower it",
                Options.MAX_LENGTH.key(), name, model.maxTokens(), length));
  }

  /**
   * Requires that an encoder has two segments.
   *
   * @param what the setting for which it reads two texts at once
   */
  public ModelCheck requireSecondSegment(String what) {
    return require(segments(what).stream().toList());
  }

  /** Requires that the model reads single texts, which are cut at its positions. */
  public ModelCheck requireReadsLines() {
    if (model.maxTokens() < LEAST_SINGLE) {
      throw Errors.invalid(
          format(
              "%s has %d positions, but [CLS], a token and [SEP] need %d",
              name, model.maxTokens(), LEAST_SINGLE),
          "use another model");
    }
    return require(segments("").stream().toList());
  }

  /**
   * Returns the problem of an encoder with too few segments.
   *
   * @param pair the setting for which it reads two texts at once; empty for single texts
   */
  private Optional<String> segments(String pair) {
    if (!(model instanceof EncoderSpec encoder)
        || !encoder.architecture().hasSegments()
        || encoder.embeddings().typeVocabSize() >= (pair.isEmpty() ? 1 : 2)) {
      return Optional.empty();
    }
    int types = encoder.embeddings().typeVocabSize();
    return Optional.of(
        pair.isEmpty()
            ? format(
                "%s has no segment, because its type_vocab_size is %d; correct config.json",
                name, types)
            : format(
                "%s needs a second segment, but %s's type_vocab_size is %d; join the texts in one"
                    + " column, or use a model with two segments",
                pair, name, types));
  }

  /**
   * Requires that the model has a head.
   *
   * @param why why the command needs it, such as "so there is nothing to evaluate"
   */
  public ModelCheck requireHead(String why) {
    if (model.head().task() == Task.NONE) {
      throw Errors.invalid(format("%s has no head, %s", name, why), "fine-tune it first");
    }
    return this;
  }

  /**
   * Requires that the model is a masked LM.
   *
   * @param fix what to do if it is not
   */
  public ModelCheck requireMaskedLm(String fix) {
    if (model.head().task() != Task.MASKED_LM) {
      throw Errors.invalid(
          format("%s must have a masked-LM head, but its head is %s", name, model.head().task()),
          fix);
    }
    return this;
  }

  /**
   * Returns the head with the names that labels of the corpus have: {@code corpus.classes}, if it
   * is set, else the model's own. The names of {@code corpus.classes} are in the order of the
   * model's outputs.
   *
   * @throws StillhouseException if {@code corpus.classes} does not fit the head, if the corpus has
   *     labels and the names are ambiguous, or if {@code task} has another kind of label
   */
  public Head head() {
    Head head = model.head();
    List<String> classes = settings.get(Options.CORPUS_CLASSES);
    boolean labelled = Recipe.labelled(settings);
    if (labelled) {
      requireKindOfTask(head);
    }
    if (!classes.isEmpty()) {
      requireFit(classes, head);
      head = new Head(head.task(), classes);
    }
    if (head.task().pooled() && labelled) {
      LabelCodec.of(head);
    }
    return head;
  }

  /** Returns whether the corpus has labels that the model's head cannot use. */
  public boolean ignoresLabels() {
    return Recipe.labelled(settings) && !model.head().task().pooled();
  }

  private void requireKindOfTask(Head head) {
    Optional<NamedTask> task = NamedTask.of(settings);
    if (task.isPresent()
        && head.task().pooled()
        && task.get().isRegression() != (head.task() == Task.REGRESSION)) {
      throw Errors.invalid(
          format(
              "task is %s, whose labels are %s, but %s predicts %s",
              task.get().id(),
              task.get().isRegression() ? "numbers" : "classes",
              name,
              predicted(head)),
          "use a model that was fine-tuned for this task");
    }
  }

  private void requireFit(List<String> classes, Head head) {
    String given = format("%s is %s", Options.CORPUS_CLASSES.key(), ClassNames.shown(classes));
    if (head.labels().isEmpty()) {
      throw Errors.invalid(
          format("%s, but %s predicts %s", given, name, predicted(head)),
          "remove the key, or use a model with these classes");
    }
    if (classes.size() != head.labels().size()) {
      throw Errors.invalid(
          format(
              "%s (%d names), but %s has %d classes %s",
              given, classes.size(), name, head.labels().size(), ClassNames.shown(head.labels())),
          "name each class of the model, in the order of its ids");
    }
    for (int id = 0; id < classes.size(); id++) {
      int own = head.labels().indexOf(classes.get(id));
      if (own >= 0 && own != id) {
        throw Errors.invalid(
            format(
                "%s, so '%s' is class %d, but it is class %d of %s, whose classes are %s",
                given,
                Errors.shortened(classes.get(id)),
                id,
                own,
                name,
                ClassNames.shown(head.labels())),
            "list the names in the model's order");
      }
    }
  }

  private static String predicted(Head head) {
    return switch (head.task()) {
      case NONE -> "nothing, because it has no head";
      case MASKED_LM -> "tokens, because it is a masked LM";
      case REGRESSION -> "a number";
      case CLASSIFICATION -> "classes";
      case MULTI_LABEL -> "any number of labels";
    };
  }

  /** Describes a head in a message. */
  public static String described(Head head) {
    String task = head.task().name().toLowerCase(Locale.ROOT).replace('_', '-');
    return head.labels().isEmpty()
        ? task
        : format("%s of %d %s", task, head.labels().size(), ClassNames.shown(head.labels()));
  }

  /**
   * Returns the message that some outputs of a model are not finite.
   *
   * @param rows number of rows with a logit that is infinite or not a number
   * @param of number of rows
   */
  public static String notFinite(String name, long rows, long of) {
    return format("%s gives no finite output for %,d of %,d rows", name, rows, of);
  }

  /** Requires that all outputs of a model are finite. */
  public static void requireFinite(String name, long notFinite, long rows) {
    if (notFinite > 0) {
      throw Errors.invalid(
          notFinite(name, notFinite, rows),
          "its weights, or the inputs that reach them, are broken; use an intact copy of the"
              + " model");
    }
  }
}

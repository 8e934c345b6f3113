package io.stillhouse.jobs.finetune;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LabelSet;
import io.stillhouse.spec.Task;
import io.stillhouse.text.ClassNames;
import io.stillhouse.text.LabelCodec;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * The head that {@code finetune} trains: its task is {@code finetune.task}, and its classes are
 * {@code corpus.classes} or those in the data.
 *
 * @param notes what the user should know about the labels
 */
record LabelHead(Head head, List<String> notes) {
  /** More distinct numbers than this are probably scores. */
  private static final int MANY_NUMBERS = 20;

  /** Returns the task that a recipe names. */
  static Task task(Settings settings) {
    return switch (settings.get(Options.FINETUNE_TASK)) {
      case "regression" -> Task.REGRESSION;
      case "multi-label" -> Task.MULTI_LABEL;
      case "masked-lm" -> Task.MASKED_LM;
      default -> Task.CLASSIFICATION;
    };
  }

  /**
   * Checks what can be checked without the data.
   *
   * @throws io.stillhouse.error.StillhouseException if the labels or their names do not fit the
   *     task
   */
  static void check(Settings settings) {
    Task task = task(settings);
    if (task != Task.MASKED_LM && !Recipe.labelled(settings)) {
      throw Errors.invalid(
          "corpus.label is missing, but finetune learns from labels",
          "set it to the column of the labels");
    }
    List<String> classes = settings.get(Options.CORPUS_CLASSES);
    if (classes.isEmpty()) {
      return;
    }
    if (task == Task.REGRESSION || task == Task.MASKED_LM) {
      throw Errors.invalid(
          format(
              "corpus.classes is %s, but finetune.task is %s, which has no classes",
              ClassNames.shown(classes), settings.get(Options.FINETUNE_TASK)),
          "remove corpus.classes, or set finetune.task=classification");
    }
    LabelCodec.of(of(settings, task, classes));
  }

  /** Returns the head; reads the labels of the corpus if the recipe does not name the classes. */
  static LabelHead read(SparkSession spark, Settings settings) {
    Task task = task(settings);
    if (task == Task.MASKED_LM) {
      return new LabelHead(
          Head.MASKED_LM,
          Recipe.labelled(settings)
              ? List.of(
                  format(
                      "corpus.label is '%s', but finetune.task=masked-lm learns from the text"
                          + " alone",
                      settings.get(Options.CORPUS_LABEL)))
              : List.of());
    }
    if (task == Task.REGRESSION) {
      return new LabelHead(Head.REGRESSION, List.of());
    }
    List<String> named = settings.get(Options.CORPUS_CLASSES);
    if (!named.isEmpty()) {
      return new LabelHead(of(settings, task, named), List.of());
    }
    Corpus corpus = Corpus.read(spark, Recipe.corpus(settings));
    InvalidRowPolicy.of(settings).check(corpus.broken(), corpus.rowCount());
    List<String> classes =
        ClassNames.ordered(
            corpus
                .rows()
                .map(SourceRow::label)
                .flatMap(label -> names(label, task))
                .distinct()
                .collect());
    return new LabelHead(
        of(settings, task, classes),
        notes(settings.get(Options.CORPUS_LABEL), classes, corpus.rowCount()));
  }

  /** Returns the labels of a row, as the cache reads them. */
  private static Iterator<String> names(@Nullable String label, Task task) {
    if (task == Task.MULTI_LABEL) {
      return LabelCodec.split(label).iterator();
    }
    return (label == null || label.isBlank() ? List.<String>of() : List.of(label)).iterator();
  }

  private static Head of(Settings settings, Task task, List<String> classes) {
    boolean severalLabels = task == Task.MULTI_LABEL;
    if (severalLabels && (classes.isEmpty() || classes.size() > LabelSet.MAX_LABELS)) {
      throw Errors.invalid(
          format(
              "corpus.label '%s' has %d labels, but 1 to %d are allowed",
              settings.get(Options.CORPUS_LABEL), classes.size(), LabelSet.MAX_LABELS),
          "set it to a column of labels that are separated by vertical bars");
    }
    if (!severalLabels && classes.size() < 2) {
      throw Errors.invalid(
          format(
              "corpus.label '%s' has %d classes %s, but at least 2 are needed",
              settings.get(Options.CORPUS_LABEL), classes.size(), classes),
          "set it to the column of the labels, or set finetune.task=regression");
    }
    return new Head(task, classes);
  }

  static List<String> notes(String column, List<String> classes, long rows) {
    List<String> notes = new ArrayList<>();
    boolean numbers = classes.stream().allMatch(ClassNames::isNumber);
    boolean fractions = classes.stream().anyMatch(name -> name.contains("."));
    if (numbers && (fractions || classes.size() > MANY_NUMBERS)) {
      notes.add(
          format(
              "the %,d distinct numbers of corpus.label '%s', from %s to %s, are taken for classes;"
                  + " if they are scores, set finetune.task=regression",
              classes.size(), column, classes.get(0), classes.get(classes.size() - 1)));
    } else if (!numbers && classes.size() > MANY_NUMBERS && 2L * classes.size() > rows) {
      notes.add(
          format(
              "corpus.label '%s' has %,d classes in %,d rows; if that is not the column of the"
                  + " labels, correct corpus.label",
              column, classes.size(), rows));
    }
    return notes;
  }
}

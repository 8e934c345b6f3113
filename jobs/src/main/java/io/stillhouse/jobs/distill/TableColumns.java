package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.text.ClassNames;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;

/**
 * The columns of a table that distill reads.
 *
 * @param text the text, or the first text of a pair
 * @param pair the second text, "" for single texts
 * @param label the label
 */
record TableColumns(String text, String pair, String label) {
  /** Well-known names of text columns, the most likely first. */
  private static final List<String> TEXTS =
      List.of(
          "text",
          "sentence",
          "review",
          "query",
          "utterance",
          "content",
          "comment",
          "tweet",
          "question",
          "message",
          "body",
          "document",
          "description",
          "gloss",
          "headline",
          "title");

  private static final List<String> LABELS =
      List.of(
          "label",
          "labels",
          "class",
          "category",
          "intent",
          "target",
          "sentiment",
          "topic",
          "stars",
          "rating",
          "score",
          "emotion",
          "tag",
          "polarity");

  /** Names of labels that count even if other columns also have the name of a label. */
  private static final Set<String> PLAIN_LABELS = Set.of("label", "labels", "class", "category");

  private static final List<List<String>> PAIRS =
      List.of(
          List.of("sentence1", "sentence2"),
          List.of("question1", "question2"),
          List.of("text1", "text2"),
          List.of("premise", "hypothesis"),
          List.of("question", "sentence"));

  /** A label column without a well-known name has at most this share of distinct values. */
  private static final double FEW = 0.2;

  /**
   * Returns the columns that the user named and, for the others, those that are obvious: columns
   * with well-known names or, in a table of two columns, a label with few distinct values.
   *
   * @param settings settings with {@code corpus.path}
   * @throws io.stillhouse.error.StillhouseException if a column is not obvious
   */
  static TableColumns of(SparkSession spark, Settings settings) {
    String text = settings.get(Options.CORPUS_TEXT);
    String pair = settings.get(Options.CORPUS_PAIR);
    String label = settings.get(Options.CORPUS_LABEL);
    if (!text.isEmpty() && !label.isEmpty()) {
      return new TableColumns(text, pair, label);
    }
    List<String> names = Corpus.columns(spark, Recipe.corpus(settings));
    if (names.size() < 2) {
      throw Errors.invalid(
          format("the table %s has only one column, %s", settings.get(Options.CORPUS_PATH), names),
          "write a text and a label column, separated by commas in CSV and by tabs in TSV");
    }
    Optional<TableColumns> known = byName(names, text, pair, label);
    if (known.isPresent()) {
      return known.get();
    }
    if (names.size() == 2 && pair.isEmpty()) {
      String first = text.isEmpty() ? label.isEmpty() ? names.get(0) : other(names, label) : text;
      TableColumns given =
          new TableColumns(first, "", label.isEmpty() ? other(names, first) : label);
      if (!(text.isEmpty() && label.isEmpty())) {
        return given;
      }
      Optional<TableColumns> byValues = byValues(spark, settings, given);
      if (byValues.isPresent()) {
        return byValues.get();
      }
    }
    throw Errors.invalid(
        format(
            "the table %s has the columns %s, and it is not obvious which of them is the %s",
            settings.get(Options.CORPUS_PATH),
            ClassNames.shown(names),
            text.isEmpty() ? label.isEmpty() ? "text and which the label" : "text" : "label"),
        "set corpus.text and corpus.label (and corpus.pair for pairs of texts)");
  }

  private static String other(List<String> two, String one) {
    return two.get(0).equals(one) ? two.get(1) : two.get(0);
  }

  /** Returns the given columns, completed by columns with well-known names. */
  static Optional<TableColumns> byName(List<String> names, String text, String pair, String label) {
    Map<String, String> known = new HashMap<>();
    names.stream()
        .filter(name -> !name.equals(text) && !name.equals(pair))
        .forEach(name -> known.putIfAbsent(name.strip().toLowerCase(Locale.ROOT), name));
    Optional<String> labels = label.isEmpty() ? label(known) : Optional.of(label);
    if (labels.isEmpty()) {
      return Optional.empty();
    }
    if (!text.isEmpty()) {
      return Optional.of(new TableColumns(text, pair, labels.get()));
    }
    if (!pair.isEmpty()) {
      return text(known, labels.get()).map(name -> new TableColumns(name, pair, labels.get()));
    }
    Optional<TableColumns> pairs =
        PAIRS.stream()
            .filter(two -> known.keySet().containsAll(two))
            .findFirst()
            .map(
                two ->
                    new TableColumns(
                        Objects.requireNonNull(known.get(two.get(0))),
                        Objects.requireNonNull(known.get(two.get(1))),
                        labels.get()));
    return pairs.isPresent()
        ? pairs
        : text(known, labels.get()).map(name -> new TableColumns(name, "", labels.get()));
  }

  /** Returns the only column with the name of a label, or the first of {@link #PLAIN_LABELS}. */
  private static Optional<String> label(Map<String, String> known) {
    List<String> found = LABELS.stream().filter(known::containsKey).toList();
    return found.size() == 1 || !found.isEmpty() && PLAIN_LABELS.contains(found.get(0))
        ? Optional.ofNullable(known.get(found.get(0)))
        : Optional.empty();
  }

  private static Optional<String> text(Map<String, String> known, String label) {
    return TEXTS.stream()
        .filter(known::containsKey)
        .map(known::get)
        .filter(name -> !name.equals(label))
        .findFirst();
  }

  /** Returns the columns of a two-column table if exactly one of them has few distinct values. */
  private static Optional<TableColumns> byValues(
      SparkSession spark, Settings settings, TableColumns guess) {
    JavaRDD<SourceRow> rows = Corpus.read(spark, Recipe.corpus(guess.in(settings))).rows();
    long all = rows.count();
    boolean fewTexts = rows.map(SourceRow::text).distinct().count() <= FEW * all;
    boolean fewLabels =
        rows.map(row -> String.valueOf(row.label())).distinct().count() <= FEW * all;
    if (fewTexts == fewLabels) {
      return Optional.empty();
    }
    return Optional.of(fewLabels ? guess : new TableColumns(guess.label(), "", guess.text()));
  }

  /** Returns settings with these columns. */
  Settings in(Settings settings) {
    return settings.with(
        Map.of(
            Options.CORPUS_TEXT.key(), text,
            Options.CORPUS_PAIR.key(), pair,
            Options.CORPUS_LABEL.key(), label));
  }

  /** Returns the columns in words. */
  String words() {
    return pair.isEmpty()
        ? format("text '%s', label '%s'", text, label)
        : format("texts '%s' and '%s', label '%s'", text, pair, label);
  }
}

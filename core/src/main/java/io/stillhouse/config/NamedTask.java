package io.stillhouse.config;

import io.stillhouse.spec.Metric;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * GLUE's tasks: the columns of their files as GLUE distributes them, what they predict, GLUE's
 * metrics, and TinyBERT's lengths (arXiv:1909.10351, section 4.2).
 */
public enum NamedTask {
  SST_2(Map.of("corpus.text", "sentence", "corpus.label", "label"), Metric.ACCURACY),
  COLA(Map.of("corpus.header", "false", "corpus.text", "3", "corpus.label", "1"), Metric.MATTHEWS),
  MRPC(pair("#1 String", "#2 String", "Quality"), Metric.F1, Metric.ACCURACY),
  RTE(pair("sentence1", "sentence2", "label"), Metric.ACCURACY),
  STS_B(pair("sentence1", "sentence2", "score"), Metric.PEARSON, Metric.SPEARMAN),
  QNLI(pair("question", "sentence", "label"), Metric.ACCURACY),
  QQP(pair("question1", "question2", "is_duplicate"), Metric.F1, Metric.ACCURACY),
  MNLI(pair("sentence1", "sentence2", "gold_label"), Metric.ACCURACY);

  /** Files that say themselves that they are none of GLUE's. */
  private static final Pattern OTHER =
      Pattern.compile("\\.(csv|jsonl?|parquet|orc)(\\.\\w+)?$", Pattern.CASE_INSENSITIVE);

  private final Map<String, String> columns;
  private final List<Metric> metrics;

  NamedTask(Map<String, String> columns, Metric... metrics) {
    this.columns = columns;
    this.metrics = List.of(metrics);
  }

  private static Map<String, String> pair(String text, String pair, String label) {
    return Map.of("corpus.text", text, "corpus.pair", pair, "corpus.label", label);
  }

  /** Returns the name in recipes. */
  String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  static List<String> ids() {
    return Arrays.stream(values()).map(NamedTask::id).toList();
  }

  /** Gives settings what the task that they name knows, where they are silent. */
  public static Settings filled(Settings settings) {
    for (NamedTask task : values()) {
      if (task.id().equals(settings.get(Options.TASK))) {
        Map<String, String> missing = new TreeMap<>(task.known());
        missing.keySet().removeIf(settings::gives);
        if (settings.has(Options.CORPUS_PATH)
            && settings.get(Options.CORPUS_PATH).stream().anyMatch(OTHER.asPredicate())) {
          missing.remove(Options.CORPUS_FORMAT.key());
        }
        return settings.with(missing);
      }
    }
    return settings;
  }

  private Map<String, String> known() {
    Map<String, String> known = new TreeMap<>(columns);
    known.put(Options.CORPUS_FORMAT.key(), "tsv");
    known.put(
        Options.MAX_LENGTH.key(), columns.containsKey(Options.CORPUS_PAIR.key()) ? "128" : "64");
    known.put(
        Options.FINETUNE_TASK.key(),
        metrics.contains(Metric.PEARSON) ? "regression" : "classification");
    known.put(
        Options.EVALUATE_METRICS.key(),
        metrics.stream().map(Metric::id).collect(Collectors.joining(", ", "[", "]")));
    return known;
  }
}

package io.stillhouse.config;

import io.stillhouse.spec.Metric;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A GLUE task: the columns of the files that GLUE distributes, the type of label, GLUE's metrics,
 * and TinyBERT's maximum lengths (arXiv:1909.10351, section 4.2).
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

  /** Files whose extension shows that they are not in the format that GLUE distributes. */
  private static final Pattern OTHER_FORMAT =
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

  /** Returns the name of the task in recipes. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Returns whether labels are numbers; otherwise they are classes. */
  public boolean isRegression() {
    return metrics.contains(Metric.PEARSON);
  }

  /** Returns the task that settings name. */
  public static Optional<NamedTask> of(Settings settings) {
    return Arrays.stream(values())
        .filter(task -> task.id().equals(settings.get(Options.TASK)))
        .findFirst();
  }

  static List<String> ids() {
    return Arrays.stream(values()).map(NamedTask::id).toList();
  }

  /** Returns settings in which unset keys have the values of the task that the settings name. */
  public static Settings withTaskDefaults(Settings settings) {
    Optional<NamedTask> task = of(settings);
    if (task.isEmpty()) {
      return settings;
    }
    Map<String, String> missing = new TreeMap<>(task.get().settings());
    missing.keySet().removeIf(settings::sets);
    if (settings.sets(Options.CORPUS_PATH.key())
        && settings.value(Options.CORPUS_PATH).stream().anyMatch(OTHER_FORMAT.asPredicate())) {
      missing.remove(Options.CORPUS_FORMAT.key());
    }
    return settings.with(missing);
  }

  private Map<String, String> settings() {
    Map<String, String> values = new TreeMap<>(columns);
    values.put(Options.CORPUS_FORMAT.key(), "tsv");
    values.put(
        Options.MAX_LENGTH.key(), columns.containsKey(Options.CORPUS_PAIR.key()) ? "128" : "64");
    values.put(Options.FINETUNE_TASK.key(), isRegression() ? "regression" : "classification");
    values.put(
        Options.EVALUATE_METRICS.key(),
        metrics.stream().map(Metric::id).collect(Collectors.joining(", ", "[", "]")));
    return values;
  }
}

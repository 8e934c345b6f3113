package io.stillhouse.jobs.evaluate;

import io.stillhouse.evaluate.Metrics;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;

/**
 * What {@code evaluation.json} holds.
 *
 * @param models in the order they were named, the teacher first
 * @param comparisons of each distilled student with its undistilled twin, and of every student with
 *     the first
 * @param data what was read
 */
public record Evaluation(List<Model> models, List<Comparison> comparisons, Data data) {

  /** One model; {@code agreement} is the share of top-1 answers equal to the teacher's. */
  public record Model(String name, String path, long parameters, Map<String, Double> metrics) {}

  /**
   * Two models on the same rows, paired by row.
   *
   * @param metric a rate
   * @param difference of {@code model} over {@code than}
   */
  public record Comparison(
      String model,
      String than,
      String metric,
      double difference,
      double standardError,
      int rows) {}

  /** Rows evaluated, and masked tokens among them. */
  public record Data(List<String> paths, long rows, long maskedTokens) {}

  /** A model before it is judged. */
  record Candidate(String name, String path, long parameters) {}

  static Evaluation maskedLm(
      List<Candidate> candidates, List<EvaluateTask.RowResult> rows, List<String> paths) {
    long tokens = rows.stream().mapToLong(row -> row.masked().tokens()).sum();
    List<Model> models = new ArrayList<>();
    for (int m = 0; m < candidates.size(); m++) {
      int model = m;
      Map<String, Double> metrics = new LinkedHashMap<>();
      metrics.put("agreement", rate(rows, row -> row.masked().agreeing()[model], tokens));
      metrics.put("accuracy", rate(rows, row -> row.masked().correct()[model], tokens));
      double nll = rows.stream().mapToDouble(row -> row.masked().nll()[model]).sum();
      metrics.put("perplexity", Math.exp(nll / Math.max(1, tokens)));
      models.add(model(candidates.get(m), metrics));
    }
    long[] trials = rows.stream().mapToLong(row -> row.masked().tokens()).toArray();
    List<Comparison> comparisons = new ArrayList<>();
    for (int[] pair : pairs(candidates)) {
      comparisons.add(
          compare(
              candidates, pair, "agreement", rows, m -> row -> row.masked().agreeing()[m], trials));
      comparisons.add(
          compare(
              candidates, pair, "accuracy", rows, m -> row -> row.masked().correct()[m], trials));
    }
    return new Evaluation(models, comparisons, new Data(paths, rows.size(), tokens));
  }

  static Evaluation classification(
      List<Candidate> candidates, List<EvaluateTask.RowResult> rows, List<String> paths) {
    int classes = rows.get(0).logits()[0].length;
    boolean labelled = rows.stream().noneMatch(row -> Double.isNaN(row.label()));
    int[] actual = rows.stream().mapToInt(row -> (int) row.label()).toArray();
    int[] teacher = rows.stream().mapToInt(row -> best(row.logits()[0])).toArray();
    List<Model> models = new ArrayList<>();
    for (int m = 0; m < candidates.size(); m++) {
      int model = m;
      int[] predicted = rows.stream().mapToInt(row -> best(row.logits()[model])).toArray();
      Map<String, Double> metrics = new LinkedHashMap<>();
      metrics.put("agreement", equal(predicted, teacher));
      if (labelled) {
        metrics.putAll(Metrics.classification(predicted, actual, classes));
      }
      models.add(model(candidates.get(m), metrics));
    }
    long[] trials = rows.stream().mapToLong(row -> 1).toArray();
    List<Comparison> comparisons = new ArrayList<>();
    for (int[] pair : pairs(candidates)) {
      comparisons.add(
          compare(
              candidates,
              pair,
              "agreement",
              rows,
              m -> row -> best(row.logits()[m]) == best(row.logits()[0]) ? 1 : 0,
              trials));
      if (labelled) {
        comparisons.add(
            compare(
                candidates,
                pair,
                "accuracy",
                rows,
                m -> row -> best(row.logits()[m]) == (int) row.label() ? 1 : 0,
                trials));
      }
    }
    return new Evaluation(models, comparisons, new Data(paths, rows.size(), 0));
  }

  static Evaluation regression(
      List<Candidate> candidates, List<EvaluateTask.RowResult> rows, List<String> paths) {
    boolean labelled = rows.stream().noneMatch(row -> Double.isNaN(row.label()));
    double[] actual = rows.stream().mapToDouble(EvaluateTask.RowResult::label).toArray();
    double[] teacher = rows.stream().mapToDouble(row -> row.logits()[0][0]).toArray();
    List<Model> models = new ArrayList<>();
    for (int m = 0; m < candidates.size(); m++) {
      int model = m;
      double[] predicted = rows.stream().mapToDouble(row -> row.logits()[model][0]).toArray();
      Map<String, Double> metrics = new LinkedHashMap<>();
      metrics.put("agreement", Metrics.regression(predicted, teacher).get("pearson"));
      if (labelled) {
        metrics.putAll(Metrics.regression(predicted, actual));
      }
      models.add(model(candidates.get(m), metrics));
    }
    return new Evaluation(models, List.of(), new Data(paths, rows.size(), 0));
  }

  private interface Successes {
    ToLongFunction<EvaluateTask.RowResult> of(int model);
  }

  private static Comparison compare(
      List<Candidate> candidates,
      int[] pair,
      String metric,
      List<EvaluateTask.RowResult> rows,
      Successes successes,
      long[] trials) {
    Metrics.Paired paired =
        Metrics.paired(
            rows.stream().mapToLong(successes.of(pair[0])).toArray(),
            rows.stream().mapToLong(successes.of(pair[1])).toArray(),
            trials);
    return new Comparison(
        candidates.get(pair[0]).name(),
        candidates.get(pair[1]).name(),
        metric,
        paired.difference(),
        paired.standardError(),
        paired.units());
  }

  /** Returns each student with its undistilled twin. */
  private static List<int[]> pairs(List<Candidate> candidates) {
    List<int[]> pairs = new ArrayList<>();
    for (int a = 1; a < candidates.size(); a++) {
      for (int b = 1; b < candidates.size(); b++) {
        String name = candidates.get(a).name();
        String twin = name.equals("distilled") ? "undistilled" : name + "-undistilled";
        if (candidates.get(b).name().equals(twin)) {
          pairs.add(new int[] {a, b});
        }
      }
    }
    return pairs;
  }

  private static Model model(Candidate candidate, Map<String, Double> metrics) {
    return new Model(candidate.name(), candidate.path(), candidate.parameters(), metrics);
  }

  private static double rate(
      List<EvaluateTask.RowResult> rows, ToLongFunction<EvaluateTask.RowResult> count, long of) {
    return of == 0 ? 0 : (double) rows.stream().mapToLong(count).sum() / of;
  }

  private static double equal(int[] a, int[] b) {
    int same = 0;
    for (int i = 0; i < a.length; i++) {
      same += a[i] == b[i] ? 1 : 0;
    }
    return (double) same / a.length;
  }

  private static int best(float[] logits) {
    int best = 0;
    for (int c = 1; c < logits.length; c++) {
      best = logits[c] > logits[best] ? c : best;
    }
    return best;
  }

  /** Returns the models as a table for people, with the comparisons below. */
  public String table() {
    List<String> metrics = List.copyOf(models.get(0).metrics().keySet());
    StringBuilder table = new StringBuilder("%-24s %14s".formatted("model", "parameters"));
    metrics.forEach(metric -> table.append(" %11s".formatted(metric)));
    table.append("\n");
    for (Model model : models) {
      table.append("%-24s %,14d".formatted(model.name(), model.parameters()));
      metrics.forEach(
          metric ->
              table.append(
                  metric.equals("perplexity")
                      ? " %11.2f".formatted(model.metrics().get(metric))
                      : " %11.4f".formatted(model.metrics().get(metric))));
      table.append("\n");
    }
    for (Comparison comparison : comparisons) {
      table.append(
          "%s against %s, paired over %,d rows: %s %+.4f (standard error %.4f)%n"
              .formatted(
                  comparison.model(),
                  comparison.than(),
                  comparison.rows(),
                  comparison.metric(),
                  comparison.difference(),
                  comparison.standardError()));
    }
    return table.toString();
  }
}

package io.stillhouse.jobs.evaluate;

import io.stillhouse.evaluate.Bootstrap;
import io.stillhouse.evaluate.Metrics;
import io.stillhouse.evaluate.Predictions;
import io.stillhouse.jobs.evaluate.Evaluation.Comparison;
import io.stillhouse.jobs.evaluate.Evaluation.Model;
import io.stillhouse.jobs.evaluate.Evaluation.Retention;
import io.stillhouse.jobs.evaluate.Evaluation.Seeds;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Metric;
import io.stillhouse.spec.Task;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Evaluates models with a task head: classification, regression or multi-label. */
final class TaskEvaluator extends Evaluator {
  private static final String AGREEMENT = "agreement";

  private final Head head;
  private final List<Metric> metrics;
  private final List<Predictions> predictions = new ArrayList<>();
  private final @Nullable Predictions truth;

  /**
   * @param metrics metrics of the task; retention and comparisons use the first
   * @param rows outputs of all models, by row
   */
  TaskEvaluator(
      List<Candidate> candidates,
      String reference,
      Head head,
      List<Metric> metrics,
      List<EvaluateTask.RowResult> rows) {
    super(candidates, reference);
    this.head = head;
    this.metrics = metrics;
    for (int m = 0; m < candidates.size(); m++) {
      int model = m;
      predictions.add(
          Predictions.of(
              head, rows.stream().map(row -> row.logits()[model]).toArray(float[][]::new)));
    }
    boolean labelled = rows.stream().noneMatch(row -> Double.isNaN(row.label()));
    this.truth =
        labelled
            ? Predictions.of(
                head, rows.stream().mapToDouble(EvaluateTask.RowResult::label).toArray())
            : null;
  }

  @Override
  long notFinite(int candidate) {
    return predictions.get(candidate).notFinite();
  }

  @Override
  Model model(int candidate) {
    Predictions predicted = predictions.get(candidate);
    Map<String, Double> values = new LinkedHashMap<>();
    Map<String, Double> errors = new LinkedHashMap<>();
    if (isScored(0)) {
      values.put(AGREEMENT, predicted.agreement(predictions.get(0)));
    }
    if (truth != null) {
      for (Metric metric : metrics) {
        values.put(metric.id(), predicted.metric(metric, truth));
        errors.put(
            metric.id(),
            Bootstrap.standardError(
                predicted.rows(), chosen -> predicted.metric(metric, truth, chosen)));
      }
    }
    Candidate evaluated = candidates.get(candidate);
    return new Model(
        evaluated.name(),
        evaluated.path(),
        evaluated.parameters(),
        0,
        values,
        errors,
        retention(candidate));
  }

  private @Nullable Retention retention(int candidate) {
    if (truth == null || candidate == 0 || !isScored(0)) {
      return null;
    }
    Metric metric = metrics.get(0);
    Predictions predicted = predictions.get(candidate);
    Predictions teacher = predictions.get(0);
    double teacherValue = teacher.metric(metric, truth);
    return teacherValue == 0
        ? null
        : new Retention(
            metric.id(),
            predicted.metric(metric, truth) / teacherValue,
            Bootstrap.standardError(
                predicted.rows(),
                chosen -> {
                  double divisor = teacher.metric(metric, truth, chosen);
                  return divisor == 0 ? 0 : predicted.metric(metric, truth, chosen) / divisor;
                }));
  }

  @Override
  List<Comparison> compare(String[] names, List<Integer> a, List<Integer> b) {
    List<Comparison> comparisons = new ArrayList<>();
    if (head.task() != Task.REGRESSION && isScored(0)) {
      comparisons.add(
          compare(names, a, b, AGREEMENT, Predictions.agreement(head.task()), predictions.get(0)));
    }
    if (truth != null) {
      comparisons.add(compare(names, a, b, metrics.get(0).id(), metrics.get(0), truth));
    }
    return comparisons;
  }

  private Comparison compare(
      String[] names,
      List<Integer> a,
      List<Integer> b,
      String name,
      Metric metric,
      Predictions expected) {
    int[] all = IntStream.range(0, expected.rows()).toArray();
    double[] bySeed =
        IntStream.range(0, a.size())
            .mapToDouble(i -> difference(a.get(i), b.get(i), metric, expected, all))
            .toArray();
    double error =
        Bootstrap.standardError(
            all.length,
            chosen ->
                IntStream.range(0, a.size())
                    .mapToDouble(i -> difference(a.get(i), b.get(i), metric, expected, chosen))
                    .average()
                    .orElse(0));
    return new Comparison(
        names[0],
        names[1],
        name,
        Metrics.mean(bySeed),
        error,
        all.length,
        a.size() == 1 ? null : new Seeds(a.size(), Metrics.standardError(bySeed)));
  }

  private double difference(int a, int b, Metric metric, Predictions expected, int[] chosen) {
    return predictions.get(a).metric(metric, expected, chosen)
        - predictions.get(b).metric(metric, expected, chosen);
  }
}
